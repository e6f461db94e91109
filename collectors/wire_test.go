package collectors

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"readout/server/ingest"
)

// receiver takes POST /api/v1/readings as the server does: it decodes with
// server/ingest and stores each Idempotency-Key once. before, if set, may answer
// in its place (true), after, if set, may keep the answer back by cutting the
// connection.
type receiver struct {
	t      *testing.T
	before func(w http.ResponseWriter, n int) bool
	after  func(n int) (cut bool)

	mu       sync.Mutex
	arrivals []time.Duration   // of requests, since the bubble's begin
	keys     []string          // of requests
	bodies   map[string]string // by key
	values   []float64         // stored, in order
	sizes    []int             // readings of stored requests
	describe []int             // numbers of the requests that carried a description
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(r.keys)
	key := q.Header.Get("Idempotency-Key")
	r.arrivals = append(r.arrivals, sinceBubble())
	r.keys = append(r.keys, key)
	if r.before != nil && r.before(w, n) {
		return
	}
	if q.Method != http.MethodPost || q.URL.Path != "/base/api/v1/readings" || q.Header.Get("Authorization") != "Bearer rdo_secret" ||
		q.Header.Get("Content-Type") != "application/json" || len(key) < 16 {
		r.t.Errorf("%s %s with %v", q.Method, q.URL, q.Header)
	}
	sent, err := io.ReadAll(q.Body)
	if err != nil {
		r.t.Errorf("reading the body: %v", err)
	}
	body, err := ingest.Inflate(q.Header.Get("Content-Encoding"), sent, 8<<20)
	if err != nil {
		r.t.Errorf("inflate: %v", err)
	}
	request, err := ingest.JSON(body, ingest.Bounds{Now: time.Now()})
	if err != nil {
		r.t.Errorf("decode %s: %v", body, err)
	}
	if len(request.Describe) > 0 {
		r.describe = append(r.describe, n)
	}
	if had, again := r.bodies[key]; !again {
		for _, item := range request.Items {
			if item.Err != nil {
				r.t.Errorf("item: %v", item.Err)
				continue
			}
			v, _ := item.Reading.Values[0].Value.Number()
			r.values = append(r.values, v)
		}
		r.sizes = append(r.sizes, len(request.Items))
		r.bodies[key] = string(body)
	} else if had != string(body) {
		r.t.Errorf("the key %s came with two bodies", key)
	}
	if r.after != nil && r.after(n) {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"stored":%d}`, len(request.Items))
}

// pipes is a listener whose connections never leave the process, so that a
// whole HTTP exchange runs inside a synctest bubble.
type pipes struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes"} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.conns <- far:
		return near, nil
	case <-p.done:
		return nil, errors.New("connection refused")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// wire is a receiver behind a server on pipes that can go away and come back.
type wire struct {
	receiver *receiver
	mu       sync.Mutex
	pipes    *pipes
	server   *http.Server
}

func newWire(t *testing.T) *wire {
	w := &wire{receiver: &receiver{t: t, bodies: map[string]string{}}}
	w.up()
	return w
}

func (w *wire) up() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pipes = newPipes()
	w.server = &http.Server{Handler: w.receiver, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	go func(s *http.Server, l net.Listener) { _ = s.Serve(l) }(w.server, w.pipes)
}

func (w *wire) down() {
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = w.server.Close()
	_ = w.pipes.Close()
}

func (w *wire) transport() *http.Transport {
	return &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		w.mu.Lock()
		p := w.pipes
		w.mu.Unlock()
		return p.dial(ctx, network, address)
	}}
}

func (w *wire) pusher(t *testing.T, o PusherOptions) *Pusher {
	t.Helper()
	o.URL, o.Token, o.Transport = "http://readout.test/base/", "rdo_secret", w.transport()
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	p, err := NewPusher(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func push(t *testing.T, p *Pusher, values ...int) {
	t.Helper()
	for _, v := range values {
		if err := p.Append(t.Context(), one("orders", float64(v))); err != nil {
			t.Fatal(err)
		}
	}
}

func stop(t *testing.T, p *Pusher) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := p.Stop(ctx); err != nil {
		t.Error(err)
	}
}

// inOrder asserts that exactly 0 to n-1 are stored, in this order.
func (r *receiver) inOrder(n int) {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.values) != n {
		r.t.Errorf("%d readings stored, want %d", len(r.values), n)
	}
	for i, v := range r.values {
		if v != float64(i) {
			r.t.Errorf("stored reading %d is %v", i, v)
			return
		}
	}
}
