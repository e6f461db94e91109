package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"readout/collectors"
	"readout/server/reading"
)

const tailHelp = `Usage: readout tail TOPIC [--json] [--after CURSOR]

Shows the readings of a topic as they come, one line each, until it is
interrupted. When the connection breaks it comes back and goes on where it was:
nothing is lost or shown twice, or a line that begins with -- says what is missing.

Examples:
  readout tail orders
  readout tail 'cpu{host="web1"}' --last 60
  # frames as they come from the server, one JSON object in each line
  readout tail orders --json | jq -c 'select(.type == "readings") | .rows[]'
  # go on after a place that was kept: the id of the last frame
  readout tail orders --json --after 1763785200123-0:17:k3v9q

Flags:
`

// silence is how long a connection may say nothing, not even that it is still
// there (the server does every 20 s), before it counts as dead.
const silence = 45 * time.Second

// tail is the subcommand tail under way.
type tail struct {
	server  remote
	topic   reading.Topic
	cursor  string // of the last whole event; sent as Last-Event-ID
	show    func(frame []byte) error
	stderr  io.Writer
	reached bool          // the server has answered 200 at least once
	retry   time.Duration // what the server wishes before the next connection
}

// final is an error that no further attempt would change.
type final struct{ error }

// runTail is the subcommand tail. It ends with ctx, and then returns 0.
func runTail(ctx context.Context, args []string, _ io.Reader, stdout, stderr io.Writer) int {
	f := flag.NewFlagSet("readout tail", flag.ContinueOnError)
	t := tail{server: remote{command: "tail"}, stderr: stderr}
	t.server.flags(f, "url")
	asJSON := f.Bool("json", false, "print the frames as they come, one JSON object in each line")
	f.StringVar(&t.cursor, "after", "", "begin after this `CURSOR`, the id of a frame")
	last := f.Int("last", 10, "how many of the readings that are already there to show (`N`)")
	rest, code, ok := commandLine(f, tailHelp, args, stdout, stderr)
	if !ok {
		return code
	}
	if len(rest) != 1 {
		return wrongLine(f, stderr, errors.New("give one topic, in single quotes if it has labels"))
	}
	var err error
	if t.topic, err = reading.ParseTopic(rest[0]); err == nil && t.cursor != "" {
		_, err = reading.ParseCursor(t.cursor)
	}
	if err == nil && *last < 0 {
		err = errors.New("--last is 0 or more")
	}
	if err == nil {
		err = t.server.resolve()
	}
	if err != nil {
		return wrongLine(f, stderr, err)
	}
	defer t.server.client.CloseIdleConnections()
	if *asJSON {
		t.show = (&frameLines{out: stdout}).show
	} else {
		t.show = (&readingLines{out: stdout, last: *last, location: time.Local}).show
	}
	if err := t.follow(ctx); err != nil {
		return t.server.failed(stderr, err)
	}
	return 0
}

// follow connects again and again until ctx ends or a final error.
func (t *tail) follow(ctx context.Context) error {
	failures := 0
	for {
		events, err := t.connect(ctx)
		if ctx.Err() != nil {
			return nil
		}
		var end final
		if errors.As(err, &end) {
			return end.error
		}
		if events > 0 {
			failures = 0
		}
		failures++
		if failures == 1 {
			fmt.Fprintf(t.stderr, "readout tail: %v; connecting again\n", err)
		}
		timer := time.NewTimer(max(collectors.Backoff(failures), t.retry))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
	}
}

// connect reads one connection to its end and returns how many events it
// brought and why it ended.
func (t *tail) connect(ctx context.Context) (events int, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	t.retry = 0
	q, err := t.server.request(ctx, http.MethodGet, t.server.topic(t.topic)+"?format=sse", nil)
	if err != nil {
		return 0, final{err}
	}
	q.Header.Set("Accept", "text/event-stream, application/json")
	q.Header.Set("Cache-Control", "no-store")
	if t.cursor != "" {
		q.Header.Set("Last-Event-ID", t.cursor)
	}
	response, err := t.server.client.Do(q)
	if err != nil {
		if err = t.server.unreachable(err); !t.reached {
			err = final{err} // a wrong address should not look like a quiet topic
		}
		return 0, err
	}
	defer func() { _ = response.Body.Close() }()
	if err := t.check(response); err != nil {
		return 0, err
	}
	t.reached = true

	died := time.AfterFunc(silence, func() { cancel(fmt.Errorf("the server said nothing for %v", silence)) })
	defer died.Stop()
	stream := newEventStream(response.Body, func() { died.Reset(silence) })
	for {
		e, err := stream.next()
		if stream.retry > 0 {
			t.retry, stream.retry = stream.retry, 0
		}
		if err != nil {
			if cause := context.Cause(ctx); cause != nil {
				err = cause
			}
			return events, fmt.Errorf("the connection ended (%w)", err)
		}
		events++
		if err := t.show(e.data); err != nil {
			return events, final{err}
		}
		// Only now: had showing it failed, it would come again.
		if e.hasID {
			t.cursor = e.id
		}
		if pause, drains := drainPause(e.data); drains {
			t.retry = pause
		}
	}
}

// drainPause reads {"type":"drain","retry_ms":378}, by which a replica that stops
// spreads its viewers over time.
func drainPause(frame []byte) (pause time.Duration, drains bool) {
	var drain struct {
		Type    string `json:"type"`
		RetryMS uint32 `json:"retry_ms"`
	}
	if !bytes.Contains(frame, []byte(`"drain"`)) || json.Unmarshal(frame, &drain) != nil || drain.Type != "drain" {
		return 0, false
	}
	return min(time.Duration(drain.RetryMS)*time.Millisecond, time.Minute), true
}

// check turns an answer that is no stream into an error.
func (t *tail) check(response *http.Response) error {
	status := response.StatusCode
	if kind := response.Header.Get("Content-Type"); status == http.StatusOK && strings.HasPrefix(kind, "text/event-stream") {
		return nil
	} else if status == http.StatusOK {
		return final{fmt.Errorf("%s answers, but with %s and not with a stream of events. Is it the address of Readout itself?", t.server.base, kind)}
	}
	body, _ := io.ReadAll(io.LimitReader(response.Body, mostAnswer))
	err := t.server.refusal(status, body)
	if status == http.StatusRequestTimeout || status == http.StatusTooManyRequests || status >= 500 {
		t.retry = collectors.RetryAfter(response.Header, time.Now())
		return err
	}
	return final{err}
}
