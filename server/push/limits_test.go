package push_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"readout/server/body"
	"readout/server/push"
	"readout/server/reading"
)

// pipes is a listener whose connections live in memory, so that a test's clock
// can run ahead while a body does not come.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
}

func (l *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipes) Close() error {
	close(l.done)
	return nil
}

func (l *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

// start serves the handlers on pipes until the test ends.
func start(t *testing.T, options push.Options) (dial func() net.Conn) {
	l := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
	server := &http.Server{Handler: router(push.New(options)), ReadHeaderTimeout: 5 * time.Second}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(l)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-served
	})
	return func() net.Conn {
		ours, theirs := net.Pipe()
		l.conns <- theirs
		return ours
	}
}

// exchange reads one answer.
func exchange(t *testing.T, in *bufio.Reader) (*http.Response, answer) {
	t.Helper()
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var a answer
	if err := json.NewDecoder(res.Body).Decode(&a); err != nil {
		t.Fatal(err)
	}
	return res, a
}

// B18: a body that stops coming is given up after 10 s, with the connection.
func TestBodyTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &recorder{}
		conn := start(t, store.options())()
		defer conn.Close()
		begun := time.Now()
		if _, err := io.WriteString(conn, "POST /api/v1/readings HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n[{\"to"); err != nil {
			t.Fatal(err)
		}
		in := bufio.NewReader(conn)
		res, a := exchange(t, in)
		if res.StatusCode != 408 || a.Error.Code != "body_timeout" || !res.Close {
			t.Errorf("answered %d %q, close %v", res.StatusCode, a.Error.Code, res.Close)
		}
		if waited := time.Since(begun); waited != body.Timeout {
			t.Errorf("waited %v, want %v", waited, body.Timeout)
		}
		if _, err := in.ReadByte(); err == nil {
			t.Error("the connection stays open")
		}
		if len(store.readings) != 0 {
			t.Errorf("stored %q", store.readings)
		}
	})
}

// A store that is slower than the time a body may take does not end the
// request, and the connection serves the next one.
func TestBodyTimeoutEndsWithTheBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &recorder{}
		options := store.options()
		options.Append = func(ctx context.Context, readings []reading.Reading, once push.Once, ack push.Ack) ([]reading.StreamID, error) {
			timer := time.NewTimer(2 * body.Timeout)
			defer timer.Stop()
			select {
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			case <-timer.C:
				return store.append(ctx, readings, once, ack)
			}
		}
		conn := start(t, options)()
		defer conn.Close()
		in := bufio.NewReader(conn)
		for range 2 {
			if _, err := io.WriteString(conn, "POST /t/a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n42"); err != nil {
				t.Fatal(err)
			}
			if res, a := exchange(t, in); res.StatusCode != 200 || a.Stored != 1 {
				t.Fatalf("answered %d %+v", res.StatusCode, a)
			}
		}
		if len(store.readings) != 2 {
			t.Errorf("stored %q", store.readings)
		}
	})
}

// A sender that goes away in the middle of its body stores nothing.
func TestCutBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &recorder{}
		conn := start(t, store.options())()
		if _, err := io.WriteString(conn, "POST /t/a HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n42"); err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
		synctest.Wait()
		if len(store.readings) != 0 {
			t.Errorf("stored %q", store.readings)
		}
	})
}

// B20: what is not HTTP is refused by net/http, and nothing is stored.
func TestBadFraming(t *testing.T) {
	for name, request := range map[string]string{
		"bad chunk":                     "POST /t/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n42\r\n0\r\n\r\n",
		"two lengths":                   "POST /t/a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n42",
		"unknown coding":                "POST /t/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n42",
		"chunk that claims 16 exabytes": "POST /t/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n42\r\n0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &recorder{}
				conn := start(t, store.options())()
				defer conn.Close()
				go func() { _, _ = io.WriteString(conn, request) }() // the server may stop reading early
				res, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					t.Fatal(err)
				}
				_ = res.Body.Close()
				if res.StatusCode != 400 && res.StatusCode != 501 {
					t.Errorf("status %d", res.StatusCode)
				}
				if len(store.readings) != 0 {
					t.Errorf("stored %q", store.readings)
				}
			})
		})
	}
}

// P12: above what the replica can hold, a request waits a moment and is told
// so; one that gets its turn in that moment is served.
func TestOverload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &recorder{}
		options := store.options()
		options.Inflight = 2
		gate := make(chan struct{})
		options.Append = func(ctx context.Context, readings []reading.Reading, once push.Once, ack push.Ack) ([]reading.StreamID, error) {
			<-gate
			return store.append(ctx, readings, once, ack)
		}
		handler := router(push.New(options))
		statuses := make(chan int, 5)
		send := func(ctx context.Context) {
			r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/t/a", strings.NewReader("1"))
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			statuses <- w.Code
		}
		for range 2 {
			go send(t.Context())
		}
		synctest.Wait() // both hold a slot
		begun := time.Now()
		go send(t.Context())
		if status := <-statuses; status != 503 {
			t.Errorf("status %d, want 503", status)
		}
		if waited := time.Since(begun); waited != 250*time.Millisecond {
			t.Errorf("waited %v", waited)
		}

		ctx, cancel := context.WithCancel(t.Context())
		go send(ctx) // goes away while it waits
		synctest.Wait()
		cancel()
		<-statuses

		go send(t.Context())
		synctest.Wait()
		close(gate)
		for range 3 {
			if status := <-statuses; status != 200 {
				t.Errorf("status %d, want 200", status)
			}
		}
		if len(store.readings) != 3 {
			t.Errorf("stored %q", store.readings)
		}
	})
}
