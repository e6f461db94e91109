package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// story is a server that gives each connection for a topic the next text, as
// it is, and then cuts it. After the last it calls done and keeps silent.
type story struct {
	parts []string
	done  func()

	mu    sync.Mutex
	asked []string // Last-Event-ID of each connection
	at    []time.Time
}

func (s *story) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	s.mu.Lock()
	n := len(s.asked)
	s.asked = append(s.asked, q.Header.Get("Last-Event-ID"))
	s.at = append(s.at, time.Now())
	s.mu.Unlock()
	w.Header().Set("Content-Type", "text/event-stream")
	if n < len(s.parts) {
		_, _ = io.WriteString(w, s.parts[n])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler) // not even the end of the answer arrives
	}
	_ = http.NewResponseController(w).Flush()
	s.done()
	<-q.Context().Done()
}

// tails runs readout tail on a story until it is told.
func tails(t *testing.T, s *story, args ...string) (code int, out, complaint string) {
	t.Helper()
	server := httptest.NewServer(s)
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s.done = cancel
	var o, c strings.Builder
	code = runTail(ctx, append(args, "--url", server.URL), nil, &o, &c)
	return code, o.String(), c.String()
}

// local replaces the times of the stories by what this machine's zone shows.
func local(text string) string {
	for _, second := range []int64{0, 1, 2, 3, 4, 5} {
		at := time.UnixMilli(1763785200000 + second*1000).Format("2006-01-02 15:04:05.000")
		text = strings.ReplaceAll(text, "T"+string(rune('0'+second)), at)
	}
	return text
}

const (
	firstPart = ": hello\n\n" +
		"id: 1-0:1:e\ndata: {\"type\":\"snapshot\",\"topic\":\"cpu\",\"columns\":[\"t\",\"user\",\"mode\"],\"rows\":[[1763785200000,0.5,\"idle\"],[1763785201000,12.25,null]],\"id\":\"1-0:1:e\"}\n\n" +
		"id: 2-0:2:e\ndata: {\"type\":\"readings\",\"rows\":[[1763785202000,3,\"wide open\"]],\"id\":\"2-0:2:e\",\"prev\":\"1-0:1:e\",\"of\":1}\n\n" +
		// The cut comes inside this event: it must be as if it was never sent.
		"id: 3-0:3:e\ndata: {\"type\":\"readings\",\"rows\":[[1763785203000,4,null]],\"id\":\"3-0:3:e\"}\n"
	secondPart = "retry: 20\r\nid: 3-0:3:e\r\ndata: {\"type\":\"readings\",\r\ndata: \"rows\":[[1763785203000,4,null]],\"id\":\"3-0:3:e\",\"of\":7}\r\n\r\n" +
		"id: 9-0:9:e\ndata: {\"type\":\"gap\",\"from\":\"3-0:3:e\",\"to\":\"9-0:9:e\",\"lost\":17,\"why\":\"trimmed\"}\n\n" +
		"data: {\"type\":\"drain\",\"retry_ms\":600}\n\n"
	thirdPart = "data: {\"type\":\"gap\",\"lost\":null,\"why\":\"outage\"}\n\n" +
		"data: {\"type\":\"reset\",\"topic\":\"cpu\",\"why\":\"history\"}\n\n" +
		// Of the new history only what is newer than all that was shown is news.
		"id: 5-0:1:f\ndata: {\"type\":\"snapshot\",\"columns\":[\"t\",\"user\",\"ok\"],\"rows\":[[1763785202000,1,true],[1763785203000,2,true],[1763785204000,3,false]],\"id\":\"5-0:1:f\"}\n\n" +
		"data: {\"type\":\"stale\",\"topic\":\"cpu\",\"since\":1763785205000}\n\ndata: {\"type\":\"lag\",\"queued\":3}\n\n" +
		"data: {\"type\":\"error\",\"code\":\"limit\",\"message\":\"bad \\u001b[31m\"}\n\n"
)

func TestTailComesBackWhereItWas(t *testing.T) {
	s := &story{parts: []string{firstPart, secondPart, "", thirdPart}}
	code, out, complaint := tails(t, s, "cpu")
	want := local(`T0  user=0.5  mode=idle
T1  user=12.25
T2  user=3      mode="wide open"
T3  user=4  (stands for 7 readings)
-- gap: 17 entries are missing here (trimmed)
-- drain: this replica is stopping; another one, or its successor, goes on
-- gap: an unknown number of entries is missing here (outage)
-- reset: the history that was shown is not the topic's any more (history); what is new follows
T4  user=3      ok=false
-- stale: the store does not answer since T5
-- lag: this terminal does not keep up, 3 frames wait
-- error limit: "bad \x1b[31m"
`)
	if code != 0 || out != want {
		t.Errorf("code %d, printed\n%swant\n%s", code, out, want)
	}
	if got := strings.Join(s.asked, " "); got != " 2-0:2:e 9-0:9:e 9-0:9:e 5-0:1:f" {
		t.Errorf("asked to go on after %q", got)
	}
	if pause := s.at[2].Sub(s.at[1]); pause < 600*time.Millisecond {
		t.Errorf("came back %v after drain, want the 600ms that it asked for", pause)
	}
	if n := strings.Count(complaint, "connecting again"); n < 3 || n > 4 {
		t.Errorf("stderr %q, want a line for each cut", complaint)
	}
}

func TestTailJSON(t *testing.T) {
	s := &story{parts: []string{secondPart}}
	code, out, _ := tails(t, s, "--json", "cpu", "--after", "2-0:2:e")
	want := `{"type":"readings","rows":[[1763785203000,4,null]],"id":"3-0:3:e","of":7}
{"type":"gap","from":"3-0:3:e","to":"9-0:9:e","lost":17,"why":"trimmed"}
{"type":"drain","retry_ms":600}
`
	if code != 0 || out != want {
		t.Errorf("code %d, printed\n%swant\n%s", code, out, want)
	}
	if s.asked[0] != "2-0:2:e" {
		t.Errorf("asked to go on after %q, want what --after says", s.asked[0])
	}
}

// --last cuts the first snapshot and nothing else.
func TestTailLast(t *testing.T) {
	code, out, _ := tails(t, &story{parts: []string{firstPart}}, "cpu", "--last", "1")
	if want := local("T1  user=12.25\nT2  user=3      mode=\"wide open\"\n"); code != 0 || out != want {
		t.Errorf("code %d, printed\n%swant\n%s", code, out, want)
	}
}

func TestTailEndsForGood(t *testing.T) {
	for _, c := range []struct {
		status int
		kind   string
		body   string
		says   string
	}{
		{401, "application/json", `{"error":{"code":"unauthorized","message":"no"}}`, "401 unauthorized: no. Give a token with --token"},
		{403, "application/json", `{"error":{"code":"forbidden","message":"no"}}`, "403 forbidden: no. Give another token"},
		{404, "text/html", `<html>`, "404 Not Found. Is http://127.0.0.1"},
		{302, "", ``, "302 Found. Is http://127.0.0.1"},
		{204, "", ``, "204 No Content"},
		{200, "text/html", `<html>`, "with text/html and not with a stream"},
		{200, "text/event-stream", "data: {broken\n\n", "a frame that cannot be read"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			if q.URL.Path != `/t/cpu{host="a/b"}` || q.URL.RawQuery != "format=sse" {
				t.Errorf("asked for %s", q.URL)
			}
			w.Header().Set("Content-Type", c.kind)
			w.Header().Set("Location", "http://169.254.169.254/")
			w.WriteHeader(c.status)
			if c.status != 204 {
				_, _ = io.WriteString(w, c.body)
			}
		}))
		var out, complaint strings.Builder
		code := runTail(t.Context(), []string{`cpu{host="a/b"}`, "--url", server.URL}, nil, &out, &complaint)
		if code != 1 || !strings.Contains(complaint.String(), c.says) || out.Len() > 0 {
			t.Errorf("%d %s: code %d, stdout %q, stderr %q, want %q", c.status, c.kind, code, out.String(), complaint.String(), c.says)
		}
		server.Close()
	}
}

// brokenPipe is an output that nobody reads any more.
type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestTailStopsWhenNobodyReads(t *testing.T) {
	server := httptest.NewServer(&story{parts: []string{firstPart}})
	defer server.Close()
	var complaint strings.Builder
	if code := runTail(t.Context(), []string{"cpu", "--url", server.URL}, nil, brokenPipe{}, &complaint); code != 1 || !strings.Contains(complaint.String(), "broken pipe") {
		t.Errorf("code %d, stderr %q", code, complaint.String())
	}
}

// tailPipes is a listener inside the process, for a synctest bubble.
type tailPipes struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func (p *tailPipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *tailPipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *tailPipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes"} }

func (p *tailPipes) dial(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.conns <- far:
		return near, nil
	case <-p.done:
		return nil, errors.New("connection refused")
	}
}

// A connection that says nothing for 45 s is dead; one whose comments say that
// it is still there is not. 503 waits as long as Retry-After says.
func TestTailNoticesSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var at []time.Duration
		handler := http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			at = append(at, time.Since(begin))
			switch len(at) {
			case 2:
				w.Header().Set("Retry-After", "100")
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			case 1:
				w.Header().Set("Content-Type", "text/event-stream")
				for range 10 {
					_, _ = io.WriteString(w, ": still here\n\n")
					_ = http.NewResponseController(w).Flush()
					time.Sleep(20 * time.Second)
				}
			default:
				w.Header().Set("Content-Type", "text/event-stream")
				_ = http.NewResponseController(w).Flush()
			}
			<-q.Context().Done()
		})
		pipes := &tailPipes{conns: make(chan net.Conn), done: make(chan struct{})}
		server := &http.Server{Handler: handler}
		go func() { _ = server.Serve(pipes) }()
		r := remote{command: "tail", address: "http://readout.test"}
		if err := r.resolve(); err != nil {
			t.Fatal(err)
		}
		transport := &http.Transport{DialContext: pipes.dial}
		r.client.Transport = transport
		var complaint strings.Builder
		following := tail{server: r, topic: "orders", stderr: &complaint, show: func([]byte) error { return nil }}
		ctx, cancel := context.WithTimeout(t.Context(), 350*time.Second)
		defer cancel()
		if err := following.follow(ctx); err != nil {
			t.Error(err)
		}
		if took := time.Since(begin); took != 350*time.Second {
			t.Errorf("ended after %v, want the end of its context", took)
		}
		// 180 s of comments and 45 s of silence, then up to 0.5 s; 100 s as asked, at least.
		if len(at) < 3 || at[1] < 225*time.Second || at[1] > 226*time.Second || at[2]-at[1] < 100*time.Second || at[2]-at[1] > 102*time.Second {
			t.Errorf("connected at %v", at)
		}
		if !strings.Contains(complaint.String(), "the server said nothing for 45s") {
			t.Errorf("stderr %q", complaint.String())
		}
		transport.CloseIdleConnections()
		_ = server.Close()
	})
}

func TestEventStream(t *testing.T) {
	alive := 0
	s := newEventStream(strings.NewReader(
		"id\ndata\n\n"+ // fields without a colon: an empty id and an empty line of data
			"event: x\nunknown: y\nid: 7\n\n"+ // no data: no event
			"retry: 1500\nretry: soon\ndata:a\ndata:  b\nid: 8\x00\n\n"+
			"data: cut"), func() { alive++ })
	want := []event{{data: []byte{}, id: "", hasID: true}, {data: []byte("a\n b")}}
	for i, w := range want {
		e, err := s.next()
		if err != nil || string(e.data) != string(w.data) || e.id != w.id || e.hasID != w.hasID {
			t.Errorf("event %d: %q %+v %v, want %q %+v", i, e.data, e, err, w.data, w)
		}
	}
	if e, err := s.next(); err != io.EOF {
		t.Errorf("after the end: %+v, %v", e, err)
	}
	if s.retry != 1500*time.Millisecond || alive != 13 {
		t.Errorf("retry %v, want 1.5s; %d lines, want 13", s.retry, alive)
	}
	huge := newEventStream(io.MultiReader(strings.NewReader("data: "), endless{}), func() {})
	if _, err := huge.next(); err == nil || err == io.EOF {
		t.Errorf("a line without end: %v", err)
	}
}

// endless is a server that never ends its line.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}
