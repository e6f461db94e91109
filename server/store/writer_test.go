package store

import (
	"bytes"
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"readout/server/embedded"
	"readout/server/reading"
)

// mistaken is a connection that panics once when it is to write a word.
type mistaken struct {
	net.Conn
	word string
	once *atomic.Bool
}

func (m mistaken) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte(m.word)) && m.once.Swap(false) {
		panic("a mistake")
	}
	return m.Conn.Write(b)
}

// kept opens a store on an embedded one.
func kept(t *testing.T, dial func(net.Conn) net.Conn) *Store {
	t.Helper()
	e, err := embedded.Start(embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	s, err := Open(t.Context(), Options{URL: embedded.URL, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := e.Dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return dial(conn), nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func (s *Store) push(ctx context.Context, topic reading.Topic) error {
	_, err := s.Append(ctx, []reading.Reading{{Topic: topic, Time: time.Now().UnixMilli(), Values: []reading.Named{{Name: "value", Value: reading.NumberOf(42)}}}}, Once{})
	return err
}

// A mistake in one append, which its handler survives, is the end of no other one.
func TestAPanicStopsOneAppend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		once := &atomic.Bool{}
		s := kept(t, func(conn net.Conn) net.Conn { return mistaken{conn, "poison", once} })
		for _, topic := range []reading.Topic{"orders", "poison"} { // both are known from here on
			if err := s.push(t.Context(), topic); err != nil {
				t.Fatal(err)
			}
		}
		once.Store(true)
		func() {
			defer func() {
				if recover() == nil {
					t.Error("nothing has panicked")
				}
			}()
			_ = s.push(t.Context(), "poison")
		}()
		time.Sleep(2 * silentAfter)
		for range 3 {
			if err := s.push(t.Context(), "orders"); err != nil {
				t.Error(err)
			}
		}
	})
}

// A connection is kept aside between pushes that follow each other closely, and one that
// became useless meanwhile is replaced without a word.
func TestSpareConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := kept(t, func(conn net.Conn) net.Conn { return conn })
		push := func() {
			t.Helper()
			if err := s.push(t.Context(), "orders"); err != nil {
				t.Error(err)
			}
		}
		push()
		first := s.writer.spares[0].conn
		push()
		if len(s.writer.spares) != 1 || s.writer.spares[0].conn != first {
			t.Errorf("the connection is not used again: %v", s.writer.spares)
		}
		s.link.breaker.renew()
		push()
		if len(s.writer.spares) != 0 {
			t.Error("a useless connection is kept")
		}
		push()
		second := s.writer.spares[0].conn
		time.Sleep(spareFor)
		push()
		if len(s.writer.spares) != 1 || s.writer.spares[0].conn == second {
			t.Errorf("an old connection is not looked at again: %v", s.writer.spares)
		}
		var work sync.WaitGroup
		for range 20 {
			work.Go(push)
		}
		work.Wait()
		synctest.Wait()
		if n := len(s.writer.spares); n > freeFlights {
			t.Errorf("%d are kept", n)
		}
		held := s.db.PoolStats()
		if n := int(held.TotalConns-held.IdleConns) - len(s.writer.spares); n != 0 {
			t.Errorf("%d connections were not given back", n)
		}
	})
}

// A sender that has gone says nothing of the server.
func TestAGoneSenderIsNoSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := kept(t, func(conn net.Conn) net.Conn { return conn })
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if s.writer.exec(gone, []*redis.Cmd{redis.NewCmd(gone, "xadd", Key("orders"), "*", "value", 42)}) {
			t.Error("the writer believes that the server does not answer")
		}
		if err := s.push(gone, "orders"); err == nil {
			t.Error("what nobody waits for was stored")
		}
		if err := s.push(t.Context(), "orders"); err != nil {
			t.Error(err)
		}
	})
}
