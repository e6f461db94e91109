package servertest

import (
	"bufio"
	"context"
	"net/http"
	"strings"
)

// Event is one Server-Sent Event; most have no name.
type Event struct{ Name, ID, Data string }

// Events is an open event stream of one topic.
type Events struct {
	s    *Server
	body *http.Response
	from *bufio.Reader
	stop context.CancelFunc
}

// Events opens GET /t/{topic}?format=sse, after a cursor unless that is empty.
func (s *Server) Events(topic, after string) *Events {
	s.tb.Helper()
	ctx, cancel := context.WithCancel(s.tb.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/t/"+topic+"?format=sse", nil)
	if err != nil {
		s.tb.Fatal(err)
	}
	if after != "" {
		r.Header.Set("Last-Event-ID", after)
	}
	answer, err := s.Client.Do(r)
	if err != nil || answer.StatusCode != http.StatusOK {
		s.tb.Fatalf("events of %s: %v %v", topic, answer, err)
	}
	e := &Events{s: s, body: answer, from: bufio.NewReader(answer.Body), stop: cancel}
	s.tb.Cleanup(e.Close)
	return e
}

// Next returns the next event.
func (e *Events) Next() Event {
	e.s.tb.Helper()
	event, err := readEvent(e.from)
	if err != nil {
		e.s.tb.Fatalf("event: %v", err)
	}
	return event
}

// readEvent returns the next event; comments are passed over.
func readEvent(from *bufio.Reader) (Event, error) {
	var event Event
	for {
		line, err := from.ReadString('\n')
		if err != nil {
			return event, err
		}
		line = strings.TrimSuffix(line, "\n")
		switch {
		case line == "" && event.Data != "":
			return event, nil
		case strings.HasPrefix(line, "event: "):
			event.Name = line[len("event: "):]
		case strings.HasPrefix(line, "id: "):
			event.ID = line[len("id: "):]
		case strings.HasPrefix(line, "data: "):
			event.Data = line[len("data: "):]
		}
	}
}

// Close ends the stream.
func (e *Events) Close() {
	e.stop()
	_ = e.body.Body.Close()
}
