package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"readout/server/embedded"
)

func TestExpiryFollowsTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := embedded.Start(embedded.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		c := client(t, s)
		defer c.Close()
		ctx := context.Background()
		for i := range 50 {
			if err := c.Set(ctx, fmt.Sprint(i), "v", time.Duration(i+1)*time.Second).Err(); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(9500 * time.Millisecond)
		if n := s.Stats().Keys; n != 41 { // nobody has asked for any: they are gone by themselves
			t.Errorf("after 9.5 s: %d keys, want 41", n)
		}
		time.Sleep(time.Minute)
		if st := s.Stats(); st.Keys != 0 || st.Bytes != 0 {
			t.Errorf("after all: %d keys of %d bytes", st.Keys, st.Bytes)
		}
	})
}

// A client writes a long pipeline before it reads the first reply.
func TestLongPipelines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := embedded.Start(embedded.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		c := client(t, s)
		defer c.Close()
		ctx := context.Background()
		pipe := c.Pipeline()
		value := strings.Repeat("x", 1000)
		for range 2000 {
			pipe.Set(ctx, "k", value, 0)
			pipe.Get(ctx, "k")
		}
		began := time.Now()
		if _, err := pipe.Exec(ctx); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("the pipeline waited %v of the bubble's time", took)
		}
	})
}

// An append wakes those who read its stream, and nobody else.
func TestBlockedReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := embedded.Start(embedded.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		type answer struct {
			reader int
			took   time.Duration
			got    string
		}
		answers := make(chan answer, 10)
		for reader := range 4 {
			p := dialEmbedded(t, s)
			began := time.Now()
			p.send("XREAD", "BLOCK", "60000", "STREAMS", fmt.Sprint("s", reader), "shared", "$", "$")
			go func() { answers <- answer{reader, time.Since(began), fmt.Sprint(p.reply())} }()
		}
		synctest.Wait()
		p := dialEmbedded(t, s)
		time.Sleep(10 * time.Second)
		p.ask("XADD", "s2", "1-1", "a", "b")
		synctest.Wait()
		if len(answers) != 1 {
			t.Fatalf("%d readers were answered, want the one of this stream", len(answers))
		}
		if a := <-answers; a.reader != 2 || a.got != "[[s2 [[1-1 [a b]]]]]" {
			t.Errorf("answered: %+v", a)
		}
		p.ask("XADD", "shared", "1-1", "a", "b")
		synctest.Wait()
		if len(answers) != 3 {
			t.Errorf("%d readers of the shared stream were answered, want 3", len(answers))
		}
	})
}

func TestBlockedReadEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := embedded.Start(embedded.Options{})
		if err != nil {
			t.Fatal(err)
		}
		p := dialEmbedded(t, s)
		began := time.Now()
		if got := p.ask("XREAD", "BLOCK", "1500", "STREAMS", "s", "0"); got != nil || time.Since(began) != 1500*time.Millisecond {
			t.Errorf("%v after %v", got, time.Since(began))
		}
		c := client(t, s)
		failed := make(chan error, 1)
		go func() {
			failed <- c.XRead(t.Context(), &redis.XReadArgs{Streams: []string{"s", "0-0"}, Block: 0}).Err()
		}()
		synctest.Wait()
		s.Close()
		if err := <-failed; err == nil {
			t.Error("a blocked read survived Close")
		}
		if _, err := s.Dial(t.Context(), "", ""); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Dial after Close: %v", err)
		}
		s.Close() // a second time does nothing
		_ = c.Close()
	})
}

// Above the limit the oldest entries of the fullest streams go, and a reader can
// tell how many: entries-added goes on.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	const limit = 2 << 20
	s := start(t, embedded.Options{Limits: embedded.Limits{Memory: limit}})
	p := dialEmbedded(t, s)
	p.ask("XADD", "small", "1-1", "a", "b")
	for i := range 60_000 {
		p.send("XADD", "large", fmt.Sprintf("%d-0", i+1), "value", fmt.Sprintf("%060d.5", i))
		p.send("XADD", "middle", fmt.Sprintf("%d-0", i+1), "value", fmt.Sprintf("%010d.5", i))
		for range 2 {
			if reply := fmt.Sprint(p.reply()); strings.HasPrefix(reply, "-") {
				t.Fatal(reply)
			}
		}
	}
	st := s.Stats()
	if st.Bytes > limit || st.Evicted == 0 {
		t.Errorf("%d bytes of %d, %d evicted", st.Bytes, limit, st.Evicted)
	}
	if n := p.ask("XLEN", "small"); n != int64(1) {
		t.Errorf("the smallest stream has %v entries", n)
	}
	info := fmt.Sprint(p.ask("XINFO", "STREAM", "large"))
	if !strings.Contains(info, "entries-added 60000") {
		t.Errorf("what was evicted is not counted: %s", info)
	}
	// What is no stream is not evicted: then new entries are refused as Redis does.
	for i := range 3000 {
		p.ask("SET", fmt.Sprint("k", i), strings.Repeat("x", 1000))
	}
	if reply := fmt.Sprint(p.ask("XADD", "small", "*", "a", "b")); !strings.HasPrefix(reply, "-OOM command not allowed") {
		t.Errorf("with no memory left: %s", reply)
	}
}

// A thousand readers that wait cost nothing.
func TestIdleReadersCostNothing(t *testing.T) {
	s := start(t, embedded.Options{})
	wait1000(t, func() *peer { return dialEmbedded(t, s) })
	before := processTime(t)
	timer := time.NewTimer(time.Second)
	<-timer.C
	if used := processTime(t) - before; used > 50*time.Millisecond {
		t.Errorf("1,000 idle readers used %v of processor in 1 s", used)
	}
}

// wait1000 returns when a thousand readers wait.
func wait1000(t testing.TB, dial func() *peer) {
	t.Helper()
	for i := range 1000 {
		dial().send("XREAD", "BLOCK", "0", "STREAMS", fmt.Sprint("s", i), "$")
	}
	for p := dial(); !strings.Contains(fmt.Sprint(p.ask("INFO", "clients")), "blocked_streams:1000"); {
		runtime.Gosched()
	}
}

func processTime(t testing.TB) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Other programs reach it through a port.
func TestListen(t *testing.T) {
	t.Parallel()
	s := start(t, embedded.Options{})
	address, err := s.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	p := newPeer(t, conn)
	if _, err := conn.Write([]byte("SET a b\r\nGET a\r\n")); err != nil { // as a person types
		t.Fatal(err)
	}
	if a, b := p.reply(), p.reply(); a != "+OK" || b != "b" {
		t.Errorf("%v %v", a, b)
	}
	if _, err := conn.Write([]byte("*1\r\n$x\r\n")); err != nil {
		t.Fatal(err)
	}
	if reply := fmt.Sprint(p.reply()); reply != "-ERR Protocol error: invalid length" {
		t.Errorf("garbage: %v", reply)
	}
	if _, err := p.from.ReadByte(); err == nil {
		t.Error("the connection goes on after garbage")
	}
}
