// Package embedded is the store that runs inside the process when no Redis is
// given. It is memory only: its readings are gone when the process ends. For now
// it is miniredis, which is meant for tests and demonstrations: its reads grow
// with the length of a stream, so use MaxEntries and CountOnly in
// store.Options.
package embedded

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
)

const (
	// URL is what store.Options take beside Dial. Its address is never dialled; it
	// is one and not a name, because go-redis may look names up.
	URL = "redis://127.0.0.1:0"
	// MaxEntries is the most entries of one stream that this server reads quickly.
	MaxEntries = 600
)

// Server is a Redis server that is reached through Dial only; it opens no port.
type Server struct {
	redis  *miniredis.Miniredis
	served *server.Server // of redis
	stop   context.CancelFunc
	clock  sync.WaitGroup

	mu     sync.Mutex // keeps dials and Close apart, which miniredis does not; guards closed
	closed bool
}

// Start starts an empty server. The caller ends it with Close, after the store.
func Start() (*Server, error) {
	m := miniredis.NewMiniRedis()
	conn, err := m.Dial() // starts it without a listener
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &Server{redis: m, served: m.Server(), stop: stop}
	s.clock.Go(func() { s.expire(ctx) })
	return s, conn.Close()
}

// expire lets keys age. Miniredis could do it itself with every command, but
// then every command would sort all keys.
func (s *Server) expire(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			s.redis.FastForward(now.Sub(last))
			last = now
		}
	}
}

// Dial connects to the server whatever the address. It fits store.Options.Dial.
func (s *Server) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, net.ErrClosed
	}
	near, far := net.Pipe()
	s.served.ServeConn(newReplies(far))
	return near, nil
}

// Close ends the server and every connection to it, and forgets all readings.
func (s *Server) Close() {
	s.stop()
	s.clock.Wait()
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.redis.Close()
}

// replies is the server's end of a connection, with room for replies that the
// other end does not read yet. A bare pipe has none: a long pipeline would wait
// for its replies to be read, and its sender first wants to finish writing.
type replies struct {
	net.Conn
	mu      sync.Mutex
	more    *sync.Cond
	waiting []byte
	closed  bool
}

func newReplies(conn net.Conn) *replies {
	r := &replies{Conn: conn}
	r.more = sync.NewCond(&r.mu)
	go r.pump() // ends with Close, which the server calls when either end closes
	return r
}

// Write takes the reply and returns at once.
func (r *replies) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return 0, net.ErrClosed
	}
	r.waiting = append(r.waiting, b...)
	r.more.Signal()
	return len(b), nil
}

// Close ends the connection; replies that were not read are dropped.
func (r *replies) Close() error {
	r.mu.Lock()
	r.closed = true
	r.more.Signal()
	r.mu.Unlock()
	return r.Conn.Close()
}

func (r *replies) pump() {
	for {
		r.mu.Lock()
		for len(r.waiting) == 0 && !r.closed {
			r.more.Wait()
		}
		b := r.waiting
		r.waiting = nil
		closed := r.closed
		r.mu.Unlock()
		if closed {
			return
		}
		if _, err := r.Conn.Write(b); err != nil {
			_ = r.Close()
			return
		}
	}
}
