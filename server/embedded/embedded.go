// Package embedded is the store that runs inside the process when no Redis is
// given: a small Redis server that speaks RESP over connections in memory, so
// that server/store has one code path. It knows the commands that server/store
// uses and answers them as Redis 7.0 does.
//
//	conn.go a connection in memory; client.go runs commands and answers -> commands.go the table -> keys.go, values.go, streams.go -> stream.go, block.go
//	log.go writes what has changed to readout.aof before the answer goes; load.go reads it, compact.go writes it anew
//
// The log is in the form of Redis's own: redis-cli --pipe < readout.aof moves
// everything to a Redis.
package embedded

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net"
	"os"
	"slices"
	"sync"
	"time"
)

// URL is what store.Options take beside Dial. Its address is never dialled; it is
// one and not a name, because go-redis may look names up.
const URL = "redis://127.0.0.1:0"

// Limits bound what a Server holds.
type Limits struct {
	Memory int // bytes of all values, roughly; above it the oldest entries of the fullest streams go; 0 for no bound
}

// Options of a Server. The zero value is one in memory only.
type Options struct {
	Data   string // the directory of the log; empty for memory only
	Sync   Sync   // default SyncEverySecond
	Limits Limits
	Logger *slog.Logger

	disk disk // of a test
}

// Stats are counts since the start, and what there is now.
type Stats struct {
	Keys, Bytes      int64 // now
	LogBytes         int64 // of the file, now
	Commands, Errors int64
	Expired          int64 // keys whose time had come
	Evicted          int64 // entries that went because memory was full
	Compactions      int64
	Broken           string // why the log cannot be written now
}

// Server is a Redis server that is reached through Dial, and through a port if
// Listen is called.
type Server struct {
	db     *db
	say    *slog.Logger
	unlock func()
	done   chan struct{} // closed by Close

	mu        sync.Mutex // guards the fields below
	closed    bool
	conns     map[net.Conn]struct{}
	listeners []net.Listener
	work      sync.WaitGroup
}

// Start starts a server with what its directory holds. The caller ends it with
// Close, after the store.
func Start(o Options) (*Server, error) {
	if o.Sync == "" {
		o.Sync = SyncEverySecond
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Server{db: newDB(o.Limits), say: o.Logger, unlock: func() {}, done: make(chan struct{}), conns: map[net.Conn]struct{}{}}
	if o.Data != "" && o.disk == nil {
		if err := os.MkdirAll(o.Data, 0o700); err != nil {
			return nil, err
		}
		unlock, err := lock(o.Data)
		if err != nil {
			return nil, err
		}
		s.unlock, o.disk = unlock, directory(o.Data)
	}
	if o.disk != nil {
		l, err := openLog(s.db, o.disk, o.Sync, o.Logger)
		if err != nil {
			s.unlock()
			return nil, err
		}
		s.db.log = l
		l.stopped.Go(l.run)
	}
	s.db.mu.Lock()
	s.db.timer = time.AfterFunc(time.Hour, s.db.sweep)
	s.db.schedule()
	s.db.mu.Unlock()
	return s, nil
}

// Dial connects to the server whatever the address. It fits store.Options.Dial.
func (s *Server) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c := newConn(s)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, net.ErrClosed
	}
	s.conns[c] = struct{}{}
	return c, nil
}

// Listen also serves a loopback port, for redis-cli and other programs; it
// returns the address.
func (s *Server) Listen(address string) (string, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return "", errors.Join(net.ErrClosed, l.Close())
	}
	s.listeners = append(s.listeners, l)
	s.work.Go(func() { s.serveAll(l) })
	return l.Addr().String(), nil
}

// serve serves a connection of a port until it ends.
func (s *Server) serve(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = conn.Close()
		return
	}
	s.conns[conn] = struct{}{}
	s.work.Go(func() {
		c := &client{db: s.db, gone: s.done, say: s.say}
		c.serve(conn)
		s.forget(conn)
	})
}

// forget notes that a connection has ended.
func (s *Server) forget(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, conn)
}

// Stats returns the counters.
func (s *Server) Stats() Stats {
	l := s.db.log
	size := int64(0)
	if l != nil {
		l.mu.Lock()
		size = l.size
		l.mu.Unlock()
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	out := s.db.stats
	out.Keys, out.Bytes, out.LogBytes = int64(s.db.count), int64(s.db.bytes), size
	if l != nil && l.broken != nil {
		out.Broken = l.broken.Error()
	}
	return out
}

// Close ends the server and every connection to it. Without a directory all
// readings are gone.
func (s *Server) Close() {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.closed = true
	close(s.done)
	for _, l := range s.listeners {
		_ = l.Close()
	}
	conns := slices.Collect(maps.Keys(s.conns))
	s.mu.Unlock()
	for _, conn := range conns {
		_ = conn.Close()
	}
	s.work.Wait()
	s.db.mu.Lock()
	s.db.timer.Stop()
	l := s.db.log
	s.db.mu.Unlock()
	if l != nil {
		if err := l.close(); err != nil {
			l.say.Error("the store's file could not be closed", "err", err)
		}
	}
	s.unlock()
}
