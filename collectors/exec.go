package collectors

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
	"unicode"

	"readout/server/ingest"
	"readout/server/reading"
)

// Bounds of a command.
const (
	execInterval  = 10 * time.Second
	maxOutput     = 1 << 20 // bytes of its standard output
	maxComplaint  = 4 << 10 // bytes of its standard error that are kept
	pipesOpenLate = 500 * time.Millisecond
)

// Exec runs a command line by sh -c and reads its output as readings:
//
//	42                           the topic exec{command="..."}
//	users=3 load=0.5             the same topic, several values
//	orders 17                    a topic of its own
//	queue{name="mail"} 4         with labels
//	queue{name="mail"} n=4 age=2 with several values
//	{"topic":"orders","value":17} as JSON or NDJSON, as for POST /api/v1/readings
//
// Lines that are empty or begin with # say nothing. A command that fails, takes
// too long, or says something else makes the collection fail; nothing of it is
// stored then. Its whole process group is killed when its time is over.
type Exec struct {
	command string
	name    string
	topic   reading.Topic
}

// NewExec makes the collector of one command line. The error says why it cannot
// be a label.
func NewExec(command string) (*Exec, error) {
	if strings.TrimSpace(command) == "" {
		return nil, errors.New("the command is empty; write it like exec:uptime")
	}
	topic, err := reading.NewTopic("exec", reading.Label{Name: "command", Value: command})
	if err != nil {
		return nil, err
	}
	return &Exec{command: command, name: "exec:" + command, topic: topic}, nil
}

// Name is exec: and the command.
func (e *Exec) Name() string { return e.name }

// Interval is 10 seconds.
func (e *Exec) Interval() time.Duration { return execInterval }

// Describe gives nothing: only the command knows what it says.
func (e *Exec) Describe() Description { return nil }

// Collect runs the command once.
func (e *Exec) Collect(ctx context.Context) ([]reading.Reading, error) {
	begin := time.Now()
	out, err := e.run(ctx)
	if err != nil {
		return nil, err
	}
	return e.parse(out, begin)
}

func (e *Exec) run(ctx context.Context) ([]byte, error) {
	ctx, full := context.WithCancel(ctx)
	defer full()
	out := &bounded{most: maxOutput, full: full}
	complaint := &bounded{most: maxComplaint}
	cmd := exec.CommandContext(ctx, "sh", "-c", e.command)
	cmd.Stdout, cmd.Stderr = out, complaint
	cmd.WaitDelay = pipesOpenLate
	// The settings of this process hold its token and its store's password.
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "READOUT_") })
	ownGroup(cmd)
	err := cmd.Run()
	if errors.Is(err, exec.ErrWaitDelay) {
		killGroup(cmd) // it left something behind that holds its output
		err = nil
	}
	switch {
	case out.over:
		return nil, fmt.Errorf("the command says more than %d bytes", maxOutput)
	case err == nil:
		return out.b.Bytes(), nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	if text := lastLine(complaint.b.Bytes()); text != "" {
		return nil, fmt.Errorf("%w: %s", err, reading.Quote(text))
	}
	return nil, err
}

// bounded keeps the first bytes of what is written to it.
type bounded struct {
	b    bytes.Buffer
	most int
	over bool
	full func() // called when there are more; nil to go on and drop them
}

func (w *bounded) Write(p []byte) (int, error) {
	room := w.most - w.b.Len()
	w.b.Write(p[:min(room, len(p))])
	if len(p) > room {
		w.over = true
		if w.full != nil {
			w.full()
			return room, errors.New("too much output")
		}
	}
	return len(p), nil
}

// lastLine is the last line that says something, since that is where the reason
// stands.
func lastLine(b []byte) string {
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}

// parse reads what a command said at a time.
func (e *Exec) parse(out []byte, at time.Time) ([]reading.Reading, error) {
	text := bytes.TrimSpace(out)
	if len(text) > 0 && (text[0] == '{' || text[0] == '[') {
		return e.parseJSON(text, at)
	}
	var list []reading.Reading
	own := reading.Reading{Topic: e.topic, Time: at.UnixMilli()}
	number := 0
	for line := range strings.Lines(string(out)) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		topic, rest, err := splitLine(line)
		var values []reading.Named
		if err == nil {
			values, err = ingest.Values([]byte(rest))
		}
		if err != nil {
			return nil, fmt.Errorf("line %d of its output: %w", number, err)
		}
		if topic == "" {
			own.Values = append(own.Values, values...)
			continue
		}
		list = append(list, reading.Reading{Topic: topic, Time: at.UnixMilli(), Values: values})
		if len(list) > ingest.MaxReadings {
			return nil, fmt.Errorf("the command says more than %d readings", ingest.MaxReadings)
		}
	}
	if len(own.Values) > 0 {
		if err := reading.ValidateValues(own.Values); err != nil {
			return nil, fmt.Errorf("its output: %w", err)
		}
		list = append(list, own)
	}
	return list, nil
}

// splitLine parts a line into a topic and the values behind it. Without a topic
// the whole line is values.
func splitLine(line string) (topic reading.Topic, values string, err error) {
	if line[0] == '"' {
		return "", line, nil
	}
	end := strings.IndexFunc(line, func(r rune) bool { return r == '=' || r == '{' || unicode.IsSpace(r) })
	if end < 0 || line[end] == '=' {
		return "", line, nil
	}
	if line[end] == '{' {
		if end = closing(line, end); end < 0 {
			return "", "", fmt.Errorf("the labels of %s do not end with }", reading.Quote(line))
		}
	}
	if topic, err = reading.ParseTopic(line[:end]); err != nil {
		return "", "", err
	}
	if values = strings.TrimSpace(line[end:]); values == "" {
		return "", "", fmt.Errorf("no value stands behind the topic %s", reading.Quote(string(topic)))
	}
	return topic, values, nil
}

// closing returns the place behind the } of labels that begin at a {, or -1.
func closing(line string, begin int) int {
	quoted := false
	for i := begin; i < len(line); i++ {
		switch {
		case quoted && line[i] == '\\':
			i++
		case line[i] == '"':
			quoted = !quoted
		case line[i] == '}' && !quoted:
			return i + 1
		}
	}
	return -1
}

// parseJSON reads readings, or an object of values of the command's own topic.
func (e *Exec) parseJSON(text []byte, at time.Time) ([]reading.Reading, error) {
	bounds := ingest.Bounds{Now: at}
	request, err := ingest.JSON(text, bounds)
	if err != nil {
		var refusal *reading.Error
		if lines, ndjsonErr := ingest.NDJSON(text, bounds); ndjsonErr == nil {
			request, err = lines, nil
		} else if errors.As(err, &refusal) && refusal.Code == "unknown_field" && !bytes.Contains(text, []byte(`"topic"`)) {
			values, valuesErr := ingest.Values(text)
			if valuesErr != nil {
				return nil, fmt.Errorf("its output: %w", valuesErr)
			}
			return []reading.Reading{{Topic: e.topic, Time: at.UnixMilli(), Values: values}}, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("its output: %w", err)
	}
	list := make([]reading.Reading, 0, len(request.Items))
	for _, item := range request.Items {
		if item.Err != nil {
			return nil, fmt.Errorf("reading %d of its output: %w", item.Index, item.Err)
		}
		list = append(list, item.Reading)
	}
	return list, nil
}
