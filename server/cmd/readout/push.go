package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"readout/server/reading"
)

const pushHelp = `Usage: readout push TOPIC VALUE...
       readout push TOPIC -
       readout push --ndjson

Pushes readings and prints what the server answers to each request. A reading is
one value, several name=value, or a JSON object of values. With - every line of
standard input is one reading of the topic; with --ndjson every line is a whole
reading with its own topic.

Examples:
  readout push orders 42
  readout push 'cpu{host="a"}' user=0.3 system=0.1
  readout push door open
  vmstat -n 1 | awk 'NR>2 {print "idle=" $15; fflush()}' | readout push vm -
  echo '{"topic":"orders","t":1763785200123,"value":42}' | readout push --ndjson

Flags:
`

const (
	keepTrying   = 30 * time.Second // for readings from standard input, unless --retry says otherwise
	batchLines   = 1000             // of NDJSON in one request
	batchBytes   = 512 << 10        // of NDJSON in one request
	batchWait    = 200 * time.Millisecond
	longestInput = 1 << 20 // bytes of one line, as the server's limit for a body
)

// pusher is the subcommand push under way.
type pusher struct {
	server         remote
	header         map[string]string
	keep           time.Duration
	stdout, stderr io.Writer
	code           int // the exit code so far
}

// runPush is the subcommand push.
func runPush(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	f := flag.NewFlagSet("readout push", flag.ContinueOnError)
	p := pusher{server: remote{command: "push"}, header: map[string]string{}, stdout: stdout, stderr: stderr}
	p.server.flags(f, "url")
	ndjson := f.Bool("ndjson", false, "read whole readings from standard input, one JSON object in each line")
	asJSON := f.Bool("json", false, "ask for the answer as JSON")
	ack := f.String("ack", "", "wait until readings are `copied` to a copy of the store, or synced to its disk")
	f.DurationVar(&p.keep, "retry", -1, "how long to try again while the server is away, without storing anything twice; default 0, and 30s for each line of standard input (`DURATION`)")
	rest, code, ok := commandLine(f, pushHelp, args, stdout, stderr)
	if !ok {
		return code
	}
	var topic reading.Topic
	var err error
	switch {
	case *ndjson && len(rest) > 0:
		err = fmt.Errorf("unexpected %q: with --ndjson the topics stand in the lines", rest[0])
	case *ndjson:
	case len(rest) == 0:
		err = errors.New("give a topic and a value: readout push orders 42")
	case len(rest) == 1:
		err = errors.New("give a value behind the topic, or - to read values from standard input")
	default:
		topic, err = reading.ParseTopic(rest[0])
	}
	if err == nil {
		err = p.server.resolve()
	}
	if err != nil {
		return wrongLine(f, stderr, err)
	}
	if *asJSON {
		p.header["Accept"] = "application/json"
	}
	if *ack != "" {
		p.header["Readout-Ack"] = *ack
	}
	fromInput := *ndjson || len(rest) == 2 && rest[1] == "-"
	if p.keep < 0 && fromInput {
		p.keep = keepTrying
	}
	defer p.server.client.CloseIdleConnections()
	switch {
	case *ndjson:
		p.wholeReadings(ctx, stdin)
	case fromInput:
		p.lines(ctx, p.server.topic(topic), stdin)
	default:
		p.send(ctx, p.server.topic(topic), "", []byte(strings.Join(rest[1:], " ")))
	}
	return p.code
}

// send pushes one body and prints the answer; where names the input it came from.
func (p *pusher) send(ctx context.Context, address, where string, body []byte) posted {
	answer, err := p.server.post(ctx, address, p.header, body, p.keep, func(why error) {
		fmt.Fprintf(p.stderr, "readout push: %s%v; trying again for %v\n", where, why, p.keep)
	})
	switch {
	case err != nil && ctx.Err() != nil:
		p.fail("%sinterrupted; whether it is stored is not known", where)
	case err != nil:
		p.fail("%s%v", where, err)
	case answer.ok():
		fmt.Fprintf(p.stdout, "%s\n", bytes.TrimSpace(answer.body))
	case answer.status != 422 || !p.partly(answer.body):
		p.fail("%s%v", where, p.server.refusal(answer.status, answer.body))
	}
	return answer
}

// partly prints an answer that takes some readings and refuses others; which
// ones is told by whoever knows the lines. It reports whether it is such an answer.
func (p *pusher) partly(body []byte) bool {
	var said struct {
		Stored *int `json:"stored"`
	}
	if json.Unmarshal(body, &said) != nil || said.Stored == nil {
		return false
	}
	p.code = 1
	fmt.Fprintf(p.stdout, "%s\n", bytes.TrimSpace(body))
	return true
}

func (p *pusher) fail(format string, args ...any) {
	p.code = 1
	fmt.Fprintf(p.stderr, "readout push: "+format+"\n", args...)
}

// lines pushes each line of input as one reading of a topic. A line that is
// refused does not stop the next.
func (p *pusher) lines(ctx context.Context, address string, input io.Reader) {
	lines := p.read(ctx, input)
	for {
		select {
		case <-ctx.Done():
			return
		case line, more := <-lines:
			if !more {
				return
			}
			if line.err != nil {
				p.fail("line %d: %v", line.number, line.err)
				return
			}
			p.send(ctx, address, fmt.Sprintf("line %d: ", line.number), line.text)
		}
	}
}

// wholeReadings pushes NDJSON: lines that come together go together.
func (p *pusher) wholeReadings(ctx context.Context, input io.Reader) {
	p.header["Content-Type"] = "application/x-ndjson"
	lines := p.read(ctx, input)
	var body []byte
	var numbers []int
	due := time.NewTimer(0)
	<-due.C
	flush := func() {
		due.Stop()
		if len(numbers) == 0 {
			return
		}
		where := fmt.Sprintf("lines %d to %d: ", numbers[0], numbers[len(numbers)-1])
		if len(numbers) == 1 {
			where = fmt.Sprintf("line %d: ", numbers[0])
		}
		answer := p.send(ctx, p.server.readings(), where, body)
		p.rejected(answer.body, numbers)
		body, numbers = nil, nil
	}
	for {
		select {
		case <-ctx.Done():
			if len(numbers) > 0 {
				p.fail("interrupted; the last %d lines are not sent", len(numbers))
			}
			return
		case <-due.C:
			flush()
		case line, more := <-lines:
			if !more || line.err != nil {
				flush()
				if line.err != nil {
					p.fail("line %d: %v", line.number, line.err)
				}
				return
			}
			if len(body)+len(line.text) >= batchBytes {
				flush()
			}
			if len(numbers) == 0 {
				due.Reset(batchWait)
			}
			body = append(append(body, line.text...), '\n')
			if numbers = append(numbers, line.number); len(numbers) == batchLines {
				flush()
			}
		}
	}
}

// rejected names the lines that the server refused one by one.
func (p *pusher) rejected(body []byte, numbers []int) {
	var said struct {
		Rejected []struct {
			Index   int    `json:"index"`
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"rejected"`
	}
	if json.Unmarshal(body, &said) != nil {
		return
	}
	for _, r := range said.Rejected {
		if r.Index >= 0 && r.Index < len(numbers) {
			p.fail("line %d: %s: %s", numbers[r.Index], r.Code, r.Message)
		}
	}
}

// inputLine is a line of standard input and its number, from 1; or why it, and
// with it the rest of the input, could not be read.
type inputLine struct {
	number int
	text   []byte
	err    error
}

// read hands out the lines of input that are not blank. Its goroutine ends with
// the input, or at the next line after ctx has ended: a read from a terminal
// cannot be broken off.
func (p *pusher) read(ctx context.Context, input io.Reader) <-chan inputLine {
	lines := make(chan inputLine)
	go func() {
		defer close(lines)
		scanner := bufio.NewScanner(input)
		scanner.Buffer(nil, longestInput)
		hand := func(line inputLine) bool {
			select {
			case lines <- line:
				return true
			case <-ctx.Done():
				return false
			}
		}
		number := 1
		for ; scanner.Scan(); number++ {
			text := bytes.TrimSpace(scanner.Bytes())
			if len(text) > 0 && !hand(inputLine{number: number, text: bytes.Clone(text)}) {
				return
			}
		}
		switch err := scanner.Err(); {
		case errors.Is(err, bufio.ErrTooLong):
			hand(inputLine{number: number, err: fmt.Errorf("it is longer than the %d bytes that a line may have", longestInput)})
		case err != nil:
			hand(inputLine{number: number, err: err})
		}
	}()
	return lines
}
