package store

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// imagined is a server of a test: what it does when it is dialled is up to the test.
type imagined struct {
	mu    sync.Mutex
	mode  string // answers, silent, refuses or hangs up
	late  time.Duration
	dials []time.Time // when it was dialled
	ends  []net.Conn  // its ends of the connections
}

func (s *imagined) set(mode string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mode = mode
}

// answerAfter makes it answer so much later.
func (s *imagined) answerAfter(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.late = d
}

func (s *imagined) wait() {
	s.mu.Lock()
	d := s.late
	s.mu.Unlock()
	time.Sleep(d)
}

func (s *imagined) now() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mode
}

// dialled returns how often it was dialled since a time.
func (s *imagined) dialled(since time.Time) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, at := range s.dials {
		if !at.Before(since) {
			n++
		}
	}
	return n
}

var errDown = errors.New("connection refused")

func (s *imagined) dial(context.Context, string, string) (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dials = append(s.dials, time.Now())
	if s.mode == "refuses" {
		return nil, errDown
	}
	near, far := net.Pipe()
	s.ends = append(s.ends, far)
	go s.serve(far)
	return near, nil
}

// serve answers each third line, which ends a PING, for as long as it may.
func (s *imagined) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	lines := bufio.NewScanner(conn)
	for n := 1; lines.Scan(); n++ {
		switch mode := s.now(); {
		case mode == "hangs up":
			return
		case mode == "answers" && n%3 == 0:
			s.wait()
			if _, err := io.WriteString(conn, "+PONG\r\n"); err != nil {
				return
			}
		}
	}
}

// close hangs up on all.
func (s *imagined) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, end := range s.ends {
		_ = end.Close()
	}
}

// world is a breaker and two servers, in a bubble.
func world(t *testing.T, body func(t *testing.T, b *breaker, one, other *imagined)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		one, other := &imagined{mode: "answers"}, &imagined{mode: "answers"}
		b := newBreaker(func(ctx context.Context, network, addr string) (net.Conn, error) {
			if addr == "one" {
				return one.dial(ctx, network, addr)
			}
			return other.dial(ctx, network, addr)
		})
		defer other.close()
		defer one.close()
		defer b.close()
		body(t, b, one, other)
	})
}

// connect is one dial as go-redis makes it.
func connect(b *breaker, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	return b.connect(ctx, "tcp", addr)
}

func mustConnect(t *testing.T, b *breaker, addr string) net.Conn {
	t.Helper()
	conn, err := connect(b, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// command asks a connection once, with the deadlines of a command.
func command(conn net.Conn) error {
	_ = conn.SetDeadline(time.Now().Add(commandTimeout))
	if _, err := io.WriteString(conn, "*1\r\n$4\r\nPING\r\n"); err != nil {
		return err
	}
	_, err := conn.Read(make([]byte, 100))
	return err
}

func certain(err error) bool {
	var dial *dialError
	return errors.As(err, &dial)
}

// A server that refuses is dialled by many for an hour, and that is four times a
// second; the other server is none the worse for it, and when it is back it is
// soon dialled again.
func TestARefusingServerIsDialledSeldom(t *testing.T) {
	world(t, func(t *testing.T, b *breaker, one, other *imagined) {
		one.set("refuses")
		began := time.Now()
		var work sync.WaitGroup
		for range 50 {
			work.Go(func() {
				for time.Since(began) < time.Hour {
					at := time.Now()
					if _, err := connect(b, "one"); !certain(err) || !errors.Is(err, errDown) {
						t.Errorf("a dial ended with %v", err)
						return
					}
					if took := time.Since(at); took != 0 {
						t.Errorf("a dial of a server that is known to be away took %v", took)
					}
					time.Sleep(time.Second)
				}
			})
		}
		time.Sleep(time.Second)
		if n := one.dialled(began); n > 5 {
			t.Errorf("%d dials in the first second", n)
		}
		mustConnect(t, b, "other")
		work.Wait()
		if n := one.dialled(began); n > 4*3600+1 || n < 4*3600-10 {
			t.Errorf("%d dials in an hour", n)
		}
		if n := other.dialled(began); n != 1 {
			t.Errorf("the other server was dialled %d times", n)
		}
		one.set("answers")
		time.Sleep(probeEvery)
		synctest.Wait()
		mustConnect(t, b, "one")
	})
}

// A server that is asked in vain is away for all once the first has waited: they
// learn at once, and for sure, that nothing of theirs was sent.
func TestASilentServer(t *testing.T) {
	world(t, func(t *testing.T, b *breaker, one, _ *imagined) {
		first, second, third := mustConnect(t, b, "one"), mustConnect(t, b, "one"), mustConnect(t, b, "one")
		for _, conn := range []net.Conn{first, second, third} {
			if err := command(conn); err != nil {
				t.Fatal(err)
			}
		}
		one.set("silent")
		if err := command(first); !errors.Is(err, os.ErrDeadlineExceeded) || certain(err) {
			t.Errorf("the first ended with %v: it may have happened", err)
		}
		time.Sleep(probeEvery)
		synctest.Wait()
		began := time.Now()
		if err := command(second); !certain(err) || !errors.Is(err, errSilent) {
			t.Errorf("the second ended with %v", err)
		}
		if _, err := connect(b, "one"); !certain(err) {
			t.Errorf("a dial ended with %v", err)
		}
		if _, err := third.(*overheard).SyscallConn(); err == nil {
			t.Error("go-redis would take a connection of before the outage from its pool")
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("they waited %v", took)
		}
		time.Sleep(5 * time.Second)
		if n := one.dialled(began); n > 21 {
			t.Errorf("%d dials in five seconds", n)
		}
		if _, err := connect(b, "one"); !certain(err) {
			t.Errorf("a dial ended with %v", err)
		}
		one.set("answers")
		time.Sleep(probeEvery)
		synctest.Wait()
		if err := command(mustConnect(t, b, "one")); err != nil {
			t.Errorf("it answers and a command ended with %v", err)
		}
		if err := command(third); !errors.Is(err, errOld) || !certain(err) {
			t.Errorf("a connection of before the outage ended with %v", err)
		}
	})
}

// One slow answer is no outage while the server answers others.
func TestASlowCommandIsNoOutage(t *testing.T) {
	world(t, func(t *testing.T, b *breaker, one, _ *imagined) {
		slow, quick := mustConnect(t, b, "one"), mustConnect(t, b, "one")
		done := make(chan error)
		go func() {
			_ = slow.SetDeadline(time.Now().Add(commandTimeout))
			_, err := slow.Read(make([]byte, 1))
			done <- err
		}()
		time.Sleep(commandTimeout / 2)
		if err := command(quick); err != nil {
			t.Fatal(err)
		}
		if err := <-done; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the slow command ended with %v", err)
		}
		if err := command(quick); err != nil {
			t.Errorf("then the quick one ended with %v", err)
		}
		// With a short deadline of its caller it says nothing either.
		_ = slow.SetDeadline(time.Now().Add(silentAfter / 2))
		if _, err := slow.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the impatient command ended with %v", err)
		}
		if err := command(quick); err != nil {
			t.Errorf("then the quick one ended with %v", err)
		}
		// When it is the only one, the server is asked once more, and answers.
		asked := time.Now()
		one.set("silent")
		time.AfterFunc(commandTimeout/2, func() { one.set("answers") })
		if err := command(slow); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the lonely command ended with %v", err)
		}
		time.Sleep(probeEvery)
		synctest.Wait()
		if err := command(quick); err != nil || one.dialled(asked) != 1 {
			t.Errorf("then the quick one ended with %v; %d dials", err, one.dialled(asked))
		}
	})
}

// A server that stands still accepts connections. Whoever dials it learns that
// nothing was sent.
func TestADialOfASilentServer(t *testing.T) {
	world(t, func(t *testing.T, b *breaker, one, _ *imagined) {
		one.set("silent")
		began := time.Now()
		_, err := connect(b, "one")
		if took := time.Since(began); !certain(err) || took != commandTimeout {
			t.Errorf("after %v: %v", took, err)
		}
	})
}

// Single connections that are cut are made anew; a server that hangs up on
// everybody is away.
func TestAServerThatHangsUp(t *testing.T) {
	world(t, func(t *testing.T, b *breaker, one, _ *imagined) {
		conn := mustConnect(t, b, "one")
		one.close()
		if err := command(conn); err == nil || certain(err) {
			t.Errorf("a connection that was cut ended with %v", err)
		}
		mustConnect(t, b, "one")
		one.set("hangs up")
		time.Sleep(time.Millisecond)
		began := time.Now()
		for range 10 {
			if _, err := connect(b, "one"); !certain(err) {
				t.Errorf("a dial ended with %v", err)
			}
		}
		if n := one.dialled(began); n != dialTries {
			t.Errorf("%d dials, want %d", n, dialTries)
		}
	})
}

// After a cut one dials for all.
func TestOneDialsForAllInDoubt(t *testing.T) {
	world(t, func(t *testing.T, b *breaker, one, _ *imagined) {
		one.set("silent")
		began := time.Now()
		var work sync.WaitGroup
		for range 20 {
			work.Go(func() {
				if _, err := connect(b, "one"); !certain(err) {
					t.Errorf("a dial ended with %v", err)
				}
			})
		}
		work.Wait()
		if n := one.dialled(began); n != 1 {
			t.Errorf("%d dials at once", n)
		}
		one.set("answers")
		time.Sleep(2 * probeEvery)
		for range 20 {
			work.Go(func() { mustConnect(t, b, "one") })
		}
		work.Wait()
	})
}

// A dial that nobody waits for any more says nothing of the server.
func TestAnAbandonedDial(t *testing.T) {
	world(t, func(t *testing.T, b *breaker, one, _ *imagined) {
		one.set("silent")
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(10*time.Millisecond, cancel)
		if _, err := b.connect(ctx, "tcp", "one"); !certain(err) {
			t.Errorf("it ended with %v", err)
		}
		one.set("answers")
		mustConnect(t, b, "one")
	})
}

// An address that nobody wants any more, as after a failover, is let go.
func TestAHostIsForgotten(t *testing.T) {
	world(t, func(t *testing.T, b *breaker, one, _ *imagined) {
		one.set("refuses")
		if _, err := connect(b, "one"); err == nil {
			t.Fatal("it was refused")
		}
		time.Sleep(forgetAfter + time.Second)
		since := time.Now()
		time.Sleep(time.Hour)
		if n := one.dialled(since); n != 0 {
			t.Errorf("%d dials in an hour in which nobody wanted it", n)
		}
		one.set("answers")
		mustConnect(t, b, "one")
	})
}

// A demoted server answers everything; renew makes its clients ask who it is.
func TestRenew(t *testing.T) {
	world(t, func(t *testing.T, b *breaker, one, other *imagined) {
		conn := mustConnect(t, b, "one")
		b.renew()
		if err := command(conn); !certain(err) || !errors.Is(err, errOld) {
			t.Errorf("an old connection ended with %v", err)
		}
		if err := command(mustConnect(t, b, "one")); err != nil {
			t.Errorf("a new connection ended with %v", err)
		}
	})
}

// On a far link the second look takes as long as the link needs: a command that
// waits at a healthy server is no outage there either.
func TestAFarServerIsAskedInItsTime(t *testing.T) {
	world(t, func(t *testing.T, b *breaker, one, _ *imagined) {
		one.answerAfter(probeEvery + 50*time.Millisecond)
		quick, slow := mustConnect(t, b, "one"), mustConnect(t, b, "one")
		if err := command(quick); err != nil { // it is known how far away it is
			t.Fatal(err)
		}
		asked := time.Now()
		_ = slow.SetDeadline(asked.Add(commandTimeout))
		if _, err := io.WriteString(slow, "waits\r\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := slow.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a command that waits ended with %v", err)
		}
		time.Sleep(commandTimeout)
		if err := command(quick); err != nil || one.dialled(asked) != 1 {
			t.Errorf("then a command ended with %v; %d dials", err, one.dialled(asked))
		}
	})
}
