package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strconv"
	"time"
)

// longestEvent bounds the data of one event: a snapshot of thousands of
// readings has some hundred KiB.
const longestEvent = 16 << 20

// event is one Server-Sent Event.
type event struct {
	data  []byte
	id    string
	hasID bool
}

// eventStream reads Server-Sent Events as the WHATWG HTML standard parses them:
// an event counts only when its blank line has arrived, so an event that a lost
// connection cut is as if it was never sent.
type eventStream struct {
	lines *bufio.Scanner
	alive func()        // called for every line, comments included
	retry time.Duration // what the server asked to wait before the next connection
}

func newEventStream(r io.Reader, alive func()) *eventStream {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), longestEvent)
	lines.Split(wholeLines)
	return &eventStream{lines: lines, alive: alive}
}

// next returns the next event that has data, or why there are no more; io.EOF
// if the server ended the stream.
func (s *eventStream) next() (event, error) {
	var e event
	hasData := false
	for s.lines.Scan() {
		s.alive()
		line := s.lines.Bytes()
		if len(line) == 0 {
			if hasData {
				return e, nil
			}
			e = event{}
			continue
		}
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(field) {
		case "data":
			if hasData {
				e.data = append(e.data, '\n')
			}
			if len(e.data)+len(value) > longestEvent {
				return event{}, fmt.Errorf("an event has more than %d bytes", longestEvent)
			}
			e.data = append(e.data, value...)
			hasData = true
		case "id":
			if !bytes.ContainsRune(value, 0) {
				e.id, e.hasID = string(value), true
			}
		case "retry":
			if ms, err := strconv.ParseUint(string(value), 10, 31); err == nil {
				s.retry = min(time.Duration(ms)*time.Millisecond, time.Minute)
			}
		}
	}
	if err := s.lines.Err(); err != nil {
		return event{}, err
	}
	return event{}, io.EOF
}

// wholeLines splits at \n and \r\n. A last line without its end is dropped: the
// connection was cut inside it.
func wholeLines(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if end := bytes.IndexByte(data, '\n'); end >= 0 {
		return end + 1, bytes.TrimSuffix(data[:end], []byte("\r")), nil
	}
	if atEOF {
		return len(data), nil, nil
	}
	return 0, nil, nil
}
