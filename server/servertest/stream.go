package servertest

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

// Stream is a viewer's POST /live/sse. It proves the chain of every topic as it reads.
type Stream struct {
	*Chain
	s    *Server
	from *bufio.Reader
	stop context.CancelFunc
}

// Stream opens an event stream and reads its welcome. Headers are name, value, name, value.
func (s *Server) Stream(want Subscription, headers ...string) *Stream {
	s.tb.Helper()
	stream, err := s.TryStream(s.tb.Context(), want, headers...)
	if err != nil {
		s.tb.Fatalf("stream: %v", err)
	}
	if f := stream.Read(); f.Type != "welcome" {
		s.tb.Fatalf("first frame: %s", f.Raw)
	}
	return stream
}

// TryStream opens an event stream that lasts until ctx ends, or returns why that
// failed: *Refused when the server answered something else.
func (s *Server) TryStream(ctx context.Context, want Subscription, headers ...string) (*Stream, error) {
	s.tb.Helper()
	ctx, cancel := context.WithCancel(ctx)
	answer, err := s.post(ctx, "/live/sse", want.message(""), headers)
	if err != nil {
		cancel()
		return nil, err
	}
	st := &Stream{s: s, Chain: NewChain(want.After), from: bufio.NewReader(answer.Body), stop: func() {
		cancel()
		_ = answer.Body.Close()
	}}
	s.tb.Cleanup(st.stop)
	return st, nil
}

// post sends JSON and returns an answer of 200, its body unread.
func (s *Server) post(ctx context.Context, path, body string, headers []string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	answer, err := s.Client.Do(r)
	if err != nil || answer.StatusCode == http.StatusOK {
		return answer, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	return nil, &Refused{Answer{answer.StatusCode, answer.Header, string(text)}}
}

// Read returns the next frame and fails the test if the chain of its topic breaks.
func (st *Stream) Read() Frame {
	st.s.tb.Helper()
	f, err := st.TryRead()
	if err != nil {
		st.s.tb.Fatalf("read: %v", err)
	}
	return f
}

// ReadType reads frames until one has the type, and returns it.
func (st *Stream) ReadType(kind string) Frame {
	st.s.tb.Helper()
	for {
		if f := st.Read(); f.Type == kind {
			return f
		}
	}
}

// TryRead returns the next frame; *Closed when the server ends the stream, an
// error when it breaks off, or a broken chain. Comments are passed over.
func (st *Stream) TryRead() (Frame, error) {
	event, err := readEvent(st.from)
	if err != nil {
		return Frame{}, err
	}
	if event.Name == "close" {
		closed := &Closed{}
		if err := json.Unmarshal([]byte(event.Data), closed); err != nil {
			return Frame{}, err
		}
		return Frame{}, closed
	}
	f, err := decodeFrame([]byte(event.Data))
	if err != nil {
		return f, err
	}
	return f, st.Follow(f)
}

// Close ends the stream without a word.
func (st *Stream) Close() { st.stop() }
