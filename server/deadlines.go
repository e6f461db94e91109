package server

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// deadlines is a listener whose connections take their deadlines to heart only while
// somebody waits. net/http sets half a dozen for each request and replaces nearly all
// of them before anything is awaited; each moves a timer, which together costs a push
// as much as the router and all middleware.
type deadlines struct{ net.Listener }

// Accept leaves TLS alone, which takes every deadline that passes in a write for the
// end of its connection.
func (l deadlines) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if tcp, ok := conn.(*net.TCPConn); ok {
		return newDeadlineConn(tcp), err
	}
	return conn, err
}

// deadlineConn is a connection with such deadlines. What the connection below has is
// never later than what was set; when it passes too early, the wait goes on. It has one
// reader and one writer at a time.
type deadlineConn struct {
	net.Conn
	reads, writes deadline
}

func newDeadlineConn(inner net.Conn) *deadlineConn {
	return &deadlineConn{Conn: inner, reads: deadline{move: inner.SetReadDeadline}, writes: deadline{move: inner.SetWriteDeadline}}
}

// NetConn returns the connection below, as that of a tls.Conn does.
func (c *deadlineConn) NetConn() net.Conn { return c.Conn }

// CloseWrite is what net/http asks for before it closes a connection with something unread.
func (c *deadlineConn) CloseWrite() error {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	return half.CloseWrite()
}

func (c *deadlineConn) Read(b []byte) (int, error) {
	if err := c.reads.begin(); err != nil {
		return 0, err
	}
	defer c.reads.end()
	for {
		n, err := c.Conn.Read(b)
		if n > 0 || !c.reads.early(err) {
			return n, err
		}
	}
}

func (c *deadlineConn) Write(b []byte) (written int, err error) {
	if err := c.writes.begin(); err != nil {
		return 0, err
	}
	defer c.writes.end()
	for {
		n, err := c.Conn.Write(b[written:])
		if written += n; !c.writes.early(err) {
			return written, err
		}
	}
}

func (c *deadlineConn) SetReadDeadline(t time.Time) error  { return c.reads.set(t) }
func (c *deadlineConn) SetWriteDeadline(t time.Time) error { return c.writes.set(t) }

func (c *deadlineConn) SetDeadline(t time.Time) error {
	return errors.Join(c.reads.set(t), c.writes.set(t))
}

// deadline is that of one direction. The zero time is none.
type deadline struct {
	move func(time.Time) error // sets that of the connection below

	mu      sync.Mutex // guards:
	wanted  time.Time
	below   time.Time // what the connection below has
	waiting int       // Reads or Writes under way
}

func (d *deadline) set(t time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wanted = t
	if d.waiting == 0 || !d.late() {
		return nil
	}
	return d.follow()
}

// late reports whether the connection below would wait longer than is wanted. d.mu is held.
func (d *deadline) late() bool {
	return !d.wanted.IsZero() && (d.below.IsZero() || d.wanted.Before(d.below))
}

// follow gives the connection below what is wanted. d.mu is held.
func (d *deadline) follow() error {
	d.below = d.wanted
	return d.move(d.below)
}

// begin is for each Read and Write. net/http begins one at the end of most requests
// only to have it end at once: the connection below need not hear of that.
func (d *deadline) begin() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.late() {
		if d.passed() {
			return os.ErrDeadlineExceeded
		}
		if err := d.follow(); err != nil {
			return err
		}
	}
	d.waiting++
	return nil
}

func (d *deadline) passed() bool { return !d.wanted.IsZero() && !time.Now().Before(d.wanted) }

func (d *deadline) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.waiting--
}

// early reports whether a deadline passed that is not wanted any more. Then the one
// that is wanted has been set.
func (d *deadline) early(err error) bool {
	if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.passed() && d.follow() == nil
}
