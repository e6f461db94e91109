package store

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// wire is the one connection that a client of the tail has in its life. Behind a
// second one, which the pool of go-redis would make without a word, may stand
// another server with another history: then the read fails instead.
//
// It is also the watchdog. go-redis gives a whole reply one deadline, which a
// backlog over a thin line misses however well it flows; here each piece of it
// has its own.
type wire struct {
	patience atomic.Int64 // how long nothing may come, in ns
	dialed   atomic.Bool
	host     atomic.Pointer[host]
}

var errSecond = errors.New("the connection of the tail has ended")

// wait sets how long nothing may come.
func (w *wire) wait(d time.Duration) { w.patience.Store(int64(d)) }

// DialHook is called by the client when it wants a connection.
func (w *wire) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		if w.dialed.Swap(true) {
			return nil, errSecond
		}
		conn, err := next(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		if c, ok := conn.(*overheard); ok {
			c.waits = true
			w.host.Store(c.host)
		}
		return &watched{conn, w}, nil
	}
}

// trip is how long a round trip to the server takes at least.
func (w *wire) trip() time.Duration {
	if h := w.host.Load(); h != nil {
		return h.trip.least()
	}
	return 0
}

// ProcessHook changes nothing.
func (w *wire) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

// ProcessPipelineHook changes nothing.
func (w *wire) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// watched is a connection whose every read has its own deadline.
type watched struct {
	net.Conn
	wire *wire
}

func (w *watched) Read(b []byte) (int, error) {
	if err := w.Conn.SetReadDeadline(time.Now().Add(time.Duration(w.wire.patience.Load()))); err != nil {
		return 0, err
	}
	return w.Conn.Read(b)
}

// SetReadDeadline does nothing: the deadline is the wire's.
func (w *watched) SetReadDeadline(time.Time) error { return nil }

// SetDeadline is for writes only.
func (w *watched) SetDeadline(t time.Time) error { return w.SetWriteDeadline(t) }
