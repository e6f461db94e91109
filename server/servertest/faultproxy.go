package servertest

import (
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
)

// FaultProxy is a TCP proxy before a server that fails on purpose. At first it
// passes everything.
type FaultProxy struct {
	listener net.Listener
	to       string

	mu      sync.Mutex
	random  *rand.Rand
	drop    float64 // the share of replies that are dropped
	dropped int
	conns   map[net.Conn]struct{}
	closed  bool
	work    sync.WaitGroup
}

// NewFaultProxy starts a proxy to an address; it ends with the test. The same
// seed makes the same choices for the same sequence of replies.
func NewFaultProxy(tb testing.TB, to string, seed uint64) *FaultProxy {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	p := &FaultProxy{listener: l, to: to, random: rand.New(rand.NewPCG(seed, 0)), conns: map[net.Conn]struct{}{}}
	p.work.Go(p.accept)
	tb.Cleanup(p.close)
	return p
}

// Addr returns the proxy's host:port.
func (p *FaultProxy) Addr() string { return p.listener.Addr().String() }

// DropReplies makes the proxy forward every request and drop a share of the
// replies, from 0 to 1: instead of such a reply the connection is closed, so the
// sender cannot know that its request was executed.
func (p *FaultProxy) DropReplies(share float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drop = share
}

// Dropped returns how many replies were dropped so far.
func (p *FaultProxy) Dropped() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dropped
}

func (p *FaultProxy) accept() {
	for {
		near, err := p.listener.Accept()
		if err != nil {
			return // the proxy is closed
		}
		far, err := net.Dial("tcp", p.to)
		if err != nil {
			_ = near.Close()
			continue
		}
		if !p.keep(near, far) {
			return
		}
		p.work.Go(func() { // requests pass
			_, _ = io.Copy(far, near)
			p.cut(near, far)
		})
		p.work.Go(func() { p.replies(near, far) })
	}
}

// replies passes what the server sends. What one read of the connection brings is
// taken for one reply: Redis writes the replies to one pipeline at once.
func (p *FaultProxy) replies(near, far net.Conn) {
	defer p.cut(near, far)
	b := make([]byte, 64<<10)
	for {
		n, err := far.Read(b)
		if n > 0 {
			if p.chooseDrop() {
				return
			}
			if _, err := near.Write(b[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (p *FaultProxy) chooseDrop() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.drop > 0 && p.random.Float64() < p.drop {
		p.dropped++
		return true
	}
	return false
}

func (p *FaultProxy) keep(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		if p.closed {
			_ = c.Close()
			continue
		}
		p.conns[c] = struct{}{}
	}
	return !p.closed
}

func (p *FaultProxy) cut(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		_ = c.Close()
		delete(p.conns, c)
	}
}

func (p *FaultProxy) close() {
	_ = p.listener.Close()
	p.mu.Lock()
	p.closed = true
	for c := range p.conns {
		_ = c.Close()
	}
	p.mu.Unlock()
	p.work.Wait()
}
