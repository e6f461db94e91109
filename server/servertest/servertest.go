// Package servertest runs a whole Readout for a test, as net/http/httptest does
// for handlers: in memory on pipes, where testing/synctest can stop the clock,
// or on loopback for browsers and other real clients.
package servertest

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"readout/server"
	"readout/server/embedded"
	"readout/server/store"
)

// Options of a Server. Nil or the zero value is an open server on pipes with the
// embedded store.
type Options struct {
	Redis    string                // URL of a real store; empty for the embedded one
	Loopback bool                  // listen on a free port of 127.0.0.1 instead of on pipes
	Change   func(*server.Options) // the last word on the server's options
}

// Server is a running Readout. It ends with the test.
type Server struct {
	*server.Server
	URL    string       // http://localhost or http://127.0.0.1:PORT
	Client *http.Client // reaches URL

	dial func(ctx context.Context) (net.Conn, error)
	stop sync.Once
	tb   testing.TB
}

// New starts a Server.
func New(tb testing.TB, o *Options) *Server {
	tb.Helper()
	if o == nil {
		o = &Options{}
	}
	so := server.Options{Replica: "r1", Version: "test", Logger: slog.New(slog.NewTextHandler(tb.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))}
	if o.Redis != "" {
		so.Store.URL = o.Redis
	} else {
		memory, err := embedded.Start(embedded.Options{})
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(memory.Close)
		so.MemoryOnly = true
		so.Store = store.Options{URL: embedded.URL, Dial: memory.Dial}
	}
	if o.Change != nil {
		o.Change(&so)
	}
	inner, err := server.New(tb.Context(), so)
	if err != nil {
		tb.Fatal(err)
	}
	s := &Server{Server: inner, tb: tb}
	var listener net.Listener
	if o.Loopback {
		listener, err = net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			tb.Fatal(err)
		}
		s.URL = "http://" + listener.Addr().String()
		address := listener.Addr().String()
		s.dial = func(ctx context.Context) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "tcp", address)
		}
	} else {
		pipes := newPipes()
		listener, s.URL, s.dial = pipes, "http://localhost", pipes.dial
	}
	transport := &http.Transport{
		DialContext:         func(ctx context.Context, _, _ string) (net.Conn, error) { return s.dial(ctx) },
		MaxIdleConnsPerHost: 64,
	}
	s.Client = &http.Client{Transport: transport}
	served := make(chan error, 1)
	go func() { served <- inner.Serve(listener) }() // ends with Stop
	tb.Cleanup(func() {
		transport.CloseIdleConnections()
		s.Stop()
		if err := <-served; err != nil {
			tb.Errorf("serve: %v", err)
		}
	})
	return s
}

// Stop stops the server before the test ends.
func (s *Server) Stop() {
	s.stop.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Server.Stop(ctx); err != nil {
			s.tb.Errorf("stop: %v", err)
		}
	})
}

// Answer is an HTTP answer with its whole body.
type Answer struct {
	Status int
	Header http.Header
	Body   string
}

// Do sends a request; path may hold a query. Headers are name, value, name, value.
func (s *Server) Do(method, path, body string, headers ...string) Answer {
	s.tb.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(s.tb.Context(), method, s.URL+path, reader)
	if err != nil {
		s.tb.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
			continue
		}
		r.Header.Add(headers[i], headers[i+1])
	}
	return s.Send(r)
}

// Send sends a request that the test has made.
func (s *Server) Send(r *http.Request) Answer {
	s.tb.Helper()
	answer, err := s.Client.Do(r)
	if err != nil {
		s.tb.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		s.tb.Fatal(err)
	}
	return Answer{answer.StatusCode, answer.Header, string(body)}
}

// Push pushes one reading and fails the test unless it is stored.
func (s *Server) Push(topic, body string) {
	s.tb.Helper()
	if a := s.Do(http.MethodPost, "/t/"+topic, body); a.Status != http.StatusOK {
		s.tb.Fatalf("push %s %s: %d %s", topic, body, a.Status, a.Body)
	}
}

// Raw opens a bare connection to the server, for what no client library sends.
func (s *Server) Raw() net.Conn {
	s.tb.Helper()
	conn, err := s.dial(s.tb.Context())
	if err != nil {
		s.tb.Fatal(err)
	}
	s.tb.Cleanup(func() { _ = conn.Close() })
	return conn
}

// pipes is a listener whose connections are net.Pipes.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	close sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

var errClosed = errors.New("the server has stopped")

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.close.Do(func() { close(p.done) })
	return nil
}

func (p *pipes) Addr() net.Addr { return pipeAddr{} }

func (p *pipes) dial(ctx context.Context) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.conns <- far:
		return near, nil
	case <-p.done:
		return nil, errClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "localhost:80" }
