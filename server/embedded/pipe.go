package embedded

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// pipe makes the two ends of a connection inside the process. Unlike net.Pipe it
// has room for what the other end has not read yet: a client writes a long
// pipeline before it reads the first reply.
func pipe() (near, far *end) {
	a, b := newHalf(), newHalf()
	return &end{in: a, to: b}, &end{in: b, to: a}
}

// end is one end. It is a net.Conn.
type end struct{ in, to *half }

// half is one direction.
type half struct {
	more chan struct{} // holds one token when something has changed for the reader
	done chan struct{} // closed with either end

	mu       sync.Mutex // guards the fields below
	data     []byte
	at       int // what of data was read
	closed   bool
	deadline time.Time
}

// keep is how large a buffer may stay when all of it was read.
const keep = 64 << 10

func newHalf() *half { return &half{more: make(chan struct{}, 1), done: make(chan struct{})} }

func (h *half) signal() {
	select {
	case h.more <- struct{}{}:
	default:
	}
}

// take copies what there is; n is 0 when the reader must wait.
func (h *half) take(b []byte) (n int, deadline time.Time, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.at < len(h.data):
		n = copy(b, h.data[h.at:])
		if h.at += n; h.at == len(h.data) {
			h.data, h.at = h.data[:0], 0
			if cap(h.data) > keep {
				h.data = nil
			}
		}
	case h.closed:
		return 0, deadline, io.EOF
	}
	return n, h.deadline, nil
}

// Read waits for data, for the other end to close, or for the deadline.
func (e *end) Read(b []byte) (int, error) {
	var timer *time.Timer
	defer func() {
		if timer != nil {
			timer.Stop()
		}
	}()
	for {
		n, deadline, err := e.in.take(b)
		if n > 0 || err != nil || len(b) == 0 {
			return n, err
		}
		var late <-chan time.Time
		if !deadline.IsZero() {
			left := time.Until(deadline)
			if left <= 0 {
				return 0, os.ErrDeadlineExceeded
			}
			if timer == nil {
				timer = time.NewTimer(left)
			} else {
				timer.Reset(left)
			}
			late = timer.C
		}
		select {
		case <-e.in.more:
		case <-late:
		}
	}
}

// Write takes all of b at once.
func (e *end) Write(b []byte) (int, error) {
	e.to.mu.Lock()
	defer e.to.mu.Unlock()
	if e.to.closed {
		return 0, io.ErrClosedPipe
	}
	e.to.data = append(e.to.data, b...)
	e.to.signal()
	return len(b), nil
}

// Close closes both directions; what was written can still be read.
func (e *end) Close() error {
	for _, h := range []*half{e.in, e.to} {
		h.mu.Lock()
		if !h.closed {
			h.closed = true
			close(h.done)
		}
		h.signal()
		h.mu.Unlock()
	}
	return nil
}

// SetReadDeadline ends a Read that waits longer; the zero time ends that.
func (e *end) SetReadDeadline(t time.Time) error {
	e.in.mu.Lock()
	defer e.in.mu.Unlock()
	e.in.deadline = t
	e.in.signal()
	return nil
}

// SetWriteDeadline does nothing: a Write never waits.
func (e *end) SetWriteDeadline(time.Time) error { return nil }

// SetDeadline is SetReadDeadline.
func (e *end) SetDeadline(t time.Time) error { return e.SetReadDeadline(t) }

// LocalAddr names the connection.
func (e *end) LocalAddr() net.Addr { return address{} }

// RemoteAddr names the connection.
func (e *end) RemoteAddr() net.Addr { return address{} }

type address struct{}

func (address) Network() string { return "pipe" }
func (address) String() string  { return "embedded" }
