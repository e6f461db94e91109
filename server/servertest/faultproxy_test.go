package servertest_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"readout/server/servertest"
)

// caller is a client of an echo server behind a proxy.
type caller struct {
	tb   testing.TB
	conn net.Conn
	from *bufio.Reader
}

func echo(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = l.Close() })
	go func() { // ends with its listener
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(conn, conn)
				_ = conn.Close()
			}()
		}
	}()
	return l.Addr().String()
}

func call(tb testing.TB, p *servertest.FaultProxy) *caller {
	tb.Helper()
	conn, err := net.Dial("tcp", p.Addr())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close() })
	return &caller{tb, conn, bufio.NewReader(conn)}
}

// say sends a line and returns what comes back within a time.
func (c *caller) say(line string, within time.Duration) (string, error) {
	c.tb.Helper()
	if _, err := io.WriteString(c.conn, line+"\n"); err != nil {
		return "", err
	}
	return c.hear(within)
}

func (c *caller) hear(within time.Duration) (string, error) {
	_ = c.conn.SetReadDeadline(time.Now().Add(within))
	line, err := c.from.ReadString('\n')
	return strings.TrimSuffix(line, "\n"), err
}

const (
	soon = 150 * time.Millisecond // within it nothing is to come
	late = 10 * time.Second       // within it something is
)

func (c *caller) mustEcho(line string) {
	c.tb.Helper()
	if got, err := c.say(line, late); got != line || err != nil {
		c.tb.Errorf("%q came back as %q, %v", line, got, err)
	}
}

func TestFaultProxyIsLate(t *testing.T) {
	t.Parallel()
	p := servertest.NewFaultProxy(t, echo(t), 1)
	c := call(t, p)
	c.mustEcho("at once")
	p.Latency(100*time.Millisecond, 20*time.Millisecond)
	began := time.Now()
	for range 3 {
		c.mustEcho("late")
	}
	if took := time.Since(began); took < 240*time.Millisecond {
		t.Errorf("three replies came after %v", took)
	}
	began = time.Now() // several under way at once are late once
	if _, err := io.WriteString(c.conn, "a\nb\nc\n"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"a", "b", "c"} {
		if got, err := c.hear(late); got != want || err != nil {
			t.Errorf("%q, %v, want %s", got, err, want)
		}
	}
	if took := time.Since(began); took < 80*time.Millisecond {
		t.Errorf("replies came after %v", took)
	}
}

func TestFaultProxyIsNarrow(t *testing.T) {
	t.Parallel()
	p := servertest.NewFaultProxy(t, echo(t), 1)
	a, b := call(t, p), call(t, p)
	p.Throttle(20_000)
	began := time.Now()
	for _, c := range []*caller{a, b} { // both share the line
		if _, err := io.WriteString(c.conn, strings.Repeat("x", 4999)+"\n"); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []*caller{a, b} {
		if got, err := c.hear(late); len(got) != 4999 || err != nil {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	}
	if took := time.Since(began); took < 450*time.Millisecond {
		t.Errorf("10,000 bytes at 20,000 a second took %v", took)
	}
}

func TestFaultProxyBlackhole(t *testing.T) {
	t.Parallel()
	p := servertest.NewFaultProxy(t, echo(t), 1)
	c, idle := call(t, p), call(t, p)
	c.mustEcho("before")
	idle.mustEcho("before")
	p.Blackhole()
	if _, err := c.say("lost", soon); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("in a black hole: %v", err)
	}
	if _, err := call(t, p).say("lost too", soon); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("into a black hole: %v", err)
	}
	p.Pass()
	if _, err := c.hear(late); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("a connection that lost bytes: %v, want a reset", err)
	}
	idle.mustEcho("one that lost nothing goes on")
	call(t, p).mustEcho("after")
}

func TestFaultProxyStalls(t *testing.T) {
	t.Parallel()
	p := servertest.NewFaultProxy(t, echo(t), 1)
	c := call(t, p)
	c.mustEcho("before")
	p.Stall()
	if _, err := c.say("kept", soon); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("stalled: %v", err)
	}
	p.Pass()
	if got, err := c.hear(late); got != "kept" || err != nil {
		t.Errorf("after the stall: %q, %v", got, err)
	}
}

func TestFaultProxyResets(t *testing.T) {
	t.Parallel()
	p := servertest.NewFaultProxy(t, echo(t), 1)
	c := call(t, p)
	c.mustEcho("before")
	p.Reset()
	if _, err := c.hear(late); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("reset: %v", err)
	}
	c = call(t, p)
	c.mustEcho("once")
	p.CutAfter(10)
	c.mustEcho("12345")
	if got, err := c.say("67890", late); got != "6789" || !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("cut after ten bytes: %q, %v", got, err)
	}
	p.Refuse()
	if conn, err := net.Dial("tcp", p.Addr()); err == nil { // or the reset came sooner
		refused := &caller{t, conn, bufio.NewReader(conn)}
		if got, err := refused.say("hello", late); err == nil {
			t.Errorf("refused: %q", got)
		}
		_ = conn.Close()
	}
	p.Pass()
	call(t, p).mustEcho("after")
	if n := p.Dials(); n != 4 {
		t.Errorf("%d connections were counted, want 4", n)
	}
}

func TestFaultProxyHalfCloses(t *testing.T) {
	t.Parallel()
	p := servertest.NewFaultProxy(t, echo(t), 1)
	c := call(t, p)
	c.mustEcho("before")
	p.HalfClose()
	if _, err := c.hear(late); err != io.EOF {
		t.Errorf("half closed: %v", err)
	}
}
