package store

import (
	"bytes"
	"context"
	"net"
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
