package servertest

import (
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"
)

// FaultProxy is a TCP proxy before a server that fails on purpose. At first it
// passes everything; each of its modes ends the one before.
type FaultProxy struct {
	listener net.Listener

	mu      sync.Mutex // guards the fields below
	to      string
	random  *rand.Rand
	mode    mode
	changed chan struct{} // closed when the mode changes
	dials   int
	dropped int
	links   map[*link]struct{}
	closed  bool
	line    [2]time.Time // until when each direction of a throttled line is busy

	work sync.WaitGroup
}

// mode is what a FaultProxy does with what passes. The zero mode passes it on.
type mode struct {
	latency, jitter time.Duration // by which replies are late
	rate            int           // bytes a second that fit through each way; 0 for any
	blackhole       bool          // what comes is read and dropped
	stall           bool          // nothing is read
	refuse          bool          // who comes is reset
	drop            float64       // the share of replies that are dropped, with their connection
	cutAfter        int           // bytes of replies that a connection may still get; 0 for all
}

// NewFaultProxy starts a proxy to an address; it ends with the test. The same
// seed makes the same choices for the same sequence of replies.
func NewFaultProxy(tb testing.TB, to string, seed uint64) *FaultProxy {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	p := &FaultProxy{
		listener: l, to: to, random: rand.New(rand.NewPCG(seed, 0)),
		changed: make(chan struct{}), links: map[*link]struct{}{},
	}
	p.work.Go(p.accept)
	tb.Cleanup(p.close)
	return p
}

// Addr returns the proxy's host:port.
func (p *FaultProxy) Addr() string { return p.listener.Addr().String() }

// URL returns what --redis takes when the proxy stands before a Redis.
func (p *FaultProxy) URL() string { return "redis://" + p.Addr() }

// Pass passes everything. Connections that lost bytes to a Blackhole are reset,
// since their streams have a hole.
func (p *FaultProxy) Pass() { p.become(mode{}) }

// Latency makes every reply late by d, more or less by up to jitter. Requests are
// not late, so it is what a round trip takes longer.
func (p *FaultProxy) Latency(d, jitter time.Duration) { p.become(mode{latency: d, jitter: jitter}) }

// Throttle lets so many bytes a second through each way, for all connections together.
func (p *FaultProxy) Throttle(bytes int) { p.become(mode{rate: bytes}) }

// Blackhole reads and drops what comes and says nothing, also to new connections.
func (p *FaultProxy) Blackhole() { p.become(mode{blackhole: true}) }

// Stall reads nothing any more. What was sent meanwhile arrives when it ends.
func (p *FaultProxy) Stall() { p.become(mode{stall: true}) }

// Refuse resets every connection and each that comes.
func (p *FaultProxy) Refuse() {
	p.become(mode{refuse: true})
	p.Reset()
}

// CutAfter resets every connection after so many more bytes of replies.
func (p *FaultProxy) CutAfter(bytes int) { p.become(mode{cutAfter: bytes}) }

// DropReplies makes the proxy forward every request and drop a share of the
// replies, from 0 to 1: instead of such a reply the connection is closed, so the
// sender cannot know that its request was executed.
func (p *FaultProxy) DropReplies(share float64) { p.become(mode{drop: share}) }

// SendTo sends new connections to another address, and cuts those that are open.
func (p *FaultProxy) SendTo(to string) {
	p.mu.Lock()
	p.to = to
	p.mu.Unlock()
	p.Reset()
}

// Reset resets every open connection, now and once.
func (p *FaultProxy) Reset() {
	for _, l := range p.open() {
		p.reset(l)
	}
}

// HalfClose tells the client of every open connection that nothing more will
// come, while what it sends goes on arriving.
func (p *FaultProxy) HalfClose() {
	for _, l := range p.open() {
		_ = l.near.CloseWrite()
	}
}

// Dials returns how many connections have come so far.
func (p *FaultProxy) Dials() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dials
}

// Dropped returns how many replies DropReplies has dropped so far.
func (p *FaultProxy) Dropped() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dropped
}

func (p *FaultProxy) become(m mode) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mode.blackhole && !m.blackhole {
		for l := range p.links {
			if l.holed {
				p.end(l, true)
			}
		}
	}
	for l := range p.links {
		l.got = 0
	}
	p.mode = m
	close(p.changed)
	p.changed = make(chan struct{})
}

// now returns the mode and what is closed when it changes.
func (p *FaultProxy) now() (mode, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mode, p.changed
}

func (p *FaultProxy) open() []*link {
	p.mu.Lock()
	defer p.mu.Unlock()
	var open []*link
	for l := range p.links {
		open = append(open, l)
	}
	return open
}

func (p *FaultProxy) accept() {
	for {
		near, err := p.listener.Accept()
		if err != nil {
			return // the proxy is closed
		}
		l := &link{near: near.(*net.TCPConn), ended: make(chan struct{})}
		p.mu.Lock()
		p.dials++
		refuse, hole, to := p.mode.refuse, p.mode.blackhole, p.to
		p.mu.Unlock()
		if refuse {
			_ = l.near.SetLinger(0)
			_ = l.near.Close()
			continue
		}
		far, err := net.Dial("tcp", to)
		if err != nil {
			_ = near.Close()
			continue
		}
		l.far, l.holed = far.(*net.TCPConn), hole // a connection that came into a hole has lost its handshake
		if !p.keep(l) {
			return
		}
		p.work.Go(func() { p.requests(l) })
		p.work.Go(func() { p.replies(l) })
	}
}

func (p *FaultProxy) keep(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.links[l] = struct{}{}
	if p.closed {
		p.end(l, false)
	}
	return !p.closed
}

func (p *FaultProxy) cut(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.end(l, false)
}

func (p *FaultProxy) reset(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.end(l, true)
}

// end closes a connection, once. The caller holds p.mu.
func (p *FaultProxy) end(l *link, reset bool) {
	if _, open := p.links[l]; !open {
		return
	}
	delete(p.links, l)
	if reset {
		_ = l.near.SetLinger(0)
		_ = l.far.SetLinger(0)
	}
	_ = l.near.Close()
	_ = l.far.Close()
	close(l.ended)
}

func (p *FaultProxy) close() {
	_ = p.listener.Close()
	p.mu.Lock()
	p.closed = true
	for l := range p.links {
		p.end(l, false)
	}
	p.mu.Unlock()
	p.work.Wait()
}
