package servertest

import (
	"net"
	"time"
)

// link is one connection through a FaultProxy.
type link struct {
	near, far *net.TCPConn // to the client and to the server
	ended     chan struct{}

	// Guarded by the proxy's mu.
	holed bool // it lost bytes to a blackhole
	got   int  // bytes of replies since the mode began
}

// The two ways through a proxy, for the line that all connections share.
const (
	there = iota
	back
)

// late is a piece of a reply that waits until it is due.
type late struct {
	bytes []byte
	due   time.Time
	last  bool // the connection is reset after it
}

// requests passes what the client sends.
func (p *FaultProxy) requests(l *link) {
	defer p.cut(l)
	b := make([]byte, 64<<10)
	for {
		n, err := p.read(l, l.near, b)
		if n > 0 && p.passes(l, n, there) {
			if _, err := l.far.Write(b[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// replies passes what the server sends. What one read of the connection brings is
// taken for one reply: Redis writes the replies to one pipeline at once.
func (p *FaultProxy) replies(l *link) {
	queue := make(chan late, 1024)
	p.work.Go(func() { p.deliver(l, queue) })
	defer close(queue) // what is in it is still delivered
	b := make([]byte, 64<<10)
	for {
		n, err := p.read(l, l.far, b)
		if n > 0 && p.passes(l, n, back) {
			piece, cut := p.fate(l, b[:n])
			if len(piece.bytes) > 0 {
				select {
				case queue <- piece:
				case <-l.ended:
					return
				}
			}
			if cut {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// deliver writes pieces when they are due.
func (p *FaultProxy) deliver(l *link, queue <-chan late) {
	defer p.cut(l)
	for piece := range queue {
		if !l.wait(piece.due) {
			return
		}
		if _, err := l.near.Write(piece.bytes); err != nil {
			return
		}
		if piece.last {
			p.reset(l)
			return
		}
	}
}

// read reads unless the proxy stalls, and a narrow line in small pieces, so that
// its connections share it.
func (p *FaultProxy) read(l *link, from *net.TCPConn, b []byte) (int, error) {
	for {
		m, changed := p.now()
		if !m.stall {
			if m.rate > 0 {
				b = b[:min(len(b), max(256, m.rate/50))]
			}
			return from.Read(b)
		}
		select {
		case <-changed:
		case <-l.ended:
			return 0, net.ErrClosed
		}
	}
}

// passes waits until n bytes may go on; false says that they never do.
func (p *FaultProxy) passes(l *link, n, way int) bool {
	for {
		m, changed := p.now()
		switch {
		case m.stall: // it began while the read waited
			select {
			case <-changed:
				continue
			case <-l.ended:
				return false
			}
		case m.blackhole:
			p.mu.Lock()
			defer p.mu.Unlock()
			if p.mode.blackhole {
				l.holed = true
			} else { // it has just ended and knew nothing of this connection
				p.end(l, true)
			}
			return false
		case m.rate > 0:
			return l.wait(p.reserve(n, m.rate, way))
		default:
			return true
		}
	}
}

// reserve takes the line for n bytes and returns when they are through.
func (p *FaultProxy) reserve(n, rate, way int) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); p.line[way].Before(now) {
		p.line[way] = now
	}
	p.line[way] = p.line[way].Add(time.Duration(n) * time.Second / time.Duration(rate))
	return p.line[way]
}

// fate decides what becomes of a reply: what of it is passed on and when, and
// whether the connection ends instead of the rest.
func (p *FaultProxy) fate(l *link, b []byte) (piece late, cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.mode
	if m.drop > 0 && p.random.Float64() < m.drop {
		p.dropped++
		return late{}, true
	}
	if m.latency > 0 {
		piece.due = time.Now().Add(m.latency - m.jitter + time.Duration(p.random.Int64N(int64(2*m.jitter)+1)))
	}
	if m.cutAfter > 0 {
		b = b[:min(len(b), max(0, m.cutAfter-l.got))]
		l.got += len(b)
		piece.last = l.got == m.cutAfter
	}
	piece.bytes = append([]byte(nil), b...)
	return piece, false
}

// wait returns at a time, or false when the connection ends before.
func (l *link) wait(until time.Time) bool {
	d := time.Until(until)
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-l.ended:
		return false
	}
}
