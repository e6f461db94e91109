package embedded

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// conn is a connection inside the process. It has no goroutine at its other end:
// who writes commands runs them, and who reads waits for what they answer, since
// handing a command over costs more than most commands. It is a net.Conn.
type conn struct {
	server  *Server
	done    chan struct{} // closed with the connection
	changed chan struct{} // holds one token when a Read that waits is to look again

	mu       sync.Mutex // guards the fields below, and the client while it is not busy
	client   *client
	requests *requests
	replies  []byte
	at       int    // what of replies was read
	busy     bool   // somebody is in the client without the lock: a Read that waits, or a commit
	awaited  bool   // a Read waits without the lock
	later    []byte // what was written meanwhile
	ended    bool   // no command runs any more; what is answered can still be read
	closed   bool
	deadline time.Time
}

// keep is how large a buffer may stay when all of it was read.
const keep = 64 << 10

func newConn(s *Server) *conn {
	c := &conn{server: s, done: make(chan struct{}), changed: make(chan struct{}, 1), requests: newRequests(nil)}
	c.client = &client{db: s.db, gone: c.done, say: s.say}
	return c
}

// Write runs the commands in b, up to one that waits.
func (c *conn) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return 0, io.ErrClosedPipe
	}
	if c.busy {
		c.later = append(c.later, b...)
		return len(b), nil
	}
	c.requests.feed(b)
	c.run()
	c.look()
	return len(b), nil
}

// run runs what has come, unless a command before it waits or is yet to be written
// to the log. The caller holds c.mu.
func (c *conn) run() {
	for more := true; more && c.client.waits == nil && !c.busy && !c.ended; {
		var err error
		more, err = c.client.guarded(c.requests)
		if errors.Is(err, errPanic) || c.client.committed() {
			c.answered(err)
			continue
		}
		// A disk may take as long as it likes, and who reads only until a deadline.
		c.busy = true
		c.server.work.Go(func() { c.commit(err) })
	}
}

// commit waits for the log, answers, and runs what was written meanwhile.
func (c *conn) commit(err error) {
	if failed := c.client.commit(); failed != nil {
		err = failed
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answered(err)
	c.free()
	c.look()
}

// answered takes over what the client answers, and ends the connection when that was
// the last, or without it when nobody knows what was done. The caller holds c.mu.
func (c *conn) answered(err error) {
	c.ended = c.ended || c.client.leaves || err != nil
	if errors.Is(err, errProtocol) {
		c.client.out = appendError(c.client.out, "ERR "+err.Error())
	} else if err != nil {
		return
	}
	c.replies = append(c.replies, c.client.out...)
	c.client.sent()
}

// free goes on after the client was busy. The caller holds c.mu.
func (c *conn) free() {
	c.busy = false
	if c.closed {
		c.client.stopWaiting()
		return
	}
	c.requests.feed(c.later)
	c.later = nil
	c.run()
}

// look makes a Read that waits look again. The caller holds c.mu.
func (c *conn) look() {
	if !c.awaited {
		return
	}
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// Read waits for an answer, for the end of the connection, or for the deadline.
func (c *conn) Read(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var timer *time.Timer
	for {
		if n := copy(b, c.replies[c.at:]); n > 0 || len(b) == 0 {
			c.took(n)
			return n, nil
		}
		if c.ended {
			return 0, io.EOF
		}
		var late <-chan time.Time
		if !c.deadline.IsZero() {
			left := time.Until(c.deadline)
			if left <= 0 {
				return 0, os.ErrDeadlineExceeded
			}
			if timer == nil {
				timer = time.NewTimer(left)
				defer timer.Stop()
			} else {
				timer.Reset(left)
			}
			late = timer.C
		}
		c.await(late)
	}
}

// await waits without the lock, which the caller holds.
func (c *conn) await(late <-chan time.Time) {
	c.awaited = true
	if c.client.waits == nil || c.busy {
		c.mu.Unlock()
		select {
		case <-c.changed:
		case <-late:
		}
		c.mu.Lock()
		c.awaited = false
		return
	}
	c.busy = true
	c.mu.Unlock()
	err := c.client.await(late, c.changed)
	c.mu.Lock()
	c.awaited = false
	c.answered(err)
	c.free()
}

// took notes that n bytes of the replies were read.
func (c *conn) took(n int) {
	if c.at += n; c.at < len(c.replies) {
		return
	}
	c.replies, c.at = c.replies[:0], 0
	if cap(c.replies) > keep {
		c.replies = nil
	}
}

// Close ends the connection. A Read that waits returns.
func (c *conn) Close() error {
	c.server.forget(c)
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.closed, c.ended = true, true
		close(c.done)
		if !c.busy {
			c.client.stopWaiting()
		}
	}
	c.look()
	return nil
}

// SetReadDeadline ends a Read that waits longer; the zero time ends that.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = t
	c.look()
	return nil
}

// SetWriteDeadline does nothing: a Write waits for the disk at most.
func (c *conn) SetWriteDeadline(time.Time) error { return nil }

// SetDeadline is SetReadDeadline.
func (c *conn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// LocalAddr names the connection.
func (c *conn) LocalAddr() net.Addr { return address{} }

// RemoteAddr names the connection.
func (c *conn) RemoteAddr() net.Addr { return address{} }

type address struct{}

func (address) Network() string { return "memory" }
func (address) String() string  { return "embedded" }
