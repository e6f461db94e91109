package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	probeEvery  = 250 * time.Millisecond // how often a server that is away is dialled, by all of this replica together
	dialTrips   = 4                      // round trips of a dial with TLS and of the PING after it
	silentAfter = 500 * time.Millisecond // a reply later than this, with nothing heard from the server meanwhile, is none
	dialTries   = 3                      // as often connections in a row may be cut before they were of use
	firstDials  = 2                      // dials under way before one of them has brought an answer
	forgetAfter = 10 * time.Second       // a server that is away and that nobody wants any more is not probed
)

// dialError marks an error that happened before anything could be sent, so that
// a failed write is known not to have happened.
type dialError struct{ err error }

func (e *dialError) Error() string { return e.err.Error() }

// Unwrap returns a list because go-redis takes one layer off the errors of its
// handshake, and this one must stay.
func (e *dialError) Unwrap() []error { return []error{e.err} }

var (
	errSilent = errors.New("the server does not answer")
	errOld    = errors.New("the connection is of before an outage")
)

// breaker keeps a server that does not answer from costing everyone a timeout,
// and from being dialled by everyone at once. It knows the servers by address, so
// that one primary of a Cluster that is down stops only what is meant for it.
//
// A server is away after a dial that failed, or when a reply did not come in time,
// nothing was heard on any other connection meanwhile, and it does not answer when
// it is asked once more. Then dials and writes
// fail at once, before anything is sent, and one goroutine dials four times a
// second until the server answers a PING.
type breaker struct {
	dial func(ctx context.Context, network, addr string) (net.Conn, error)
	ctx  context.Context // ends the probes
	stop context.CancelFunc

	mu    sync.Mutex // guards:
	hosts map[string]*host
	ended bool // no goroutine starts any more
	work  sync.WaitGroup
}

func newBreaker(dial func(ctx context.Context, network, addr string) (net.Conn, error)) *breaker {
	b := &breaker{dial: dial, hosts: map[string]*host{}}
	b.ctx, b.stop = context.WithCancel(context.Background())
	return b
}

// close ends the probes and waits for them.
func (b *breaker) close() {
	b.mu.Lock()
	b.ended = true
	b.mu.Unlock()
	b.stop()
	b.work.Wait()
}

func (b *breaker) spawn(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.ended {
		b.work.Go(f)
	}
}

// renew makes every connection that there is now useless.
func (b *breaker) renew() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, h := range b.hosts {
		h.life.Add(1)
	}
}

func (b *breaker) host(network, addr string) *host {
	b.mu.Lock()
	defer b.mu.Unlock()
	h := b.hosts[addr]
	if h == nil {
		h = &host{breaker: b, network: network, addr: addr, doubt: true, changed: make(chan struct{})}
		b.hosts[addr] = h
	}
	return h
}

// connect returns a connection to a server that answers. Its error is a
// *dialError.
func (b *breaker) connect(ctx context.Context, network, addr string) (net.Conn, error) {
	h := b.host(network, addr)
	for {
		if err := h.enter(ctx); err != nil {
			return nil, &dialError{err}
		}
		life := h.life.Load()
		conn, err := b.open(ctx, network, addr)
		if again := h.leave(ctx, err); again {
			continue
		}
		if err != nil {
			return nil, &dialError{err}
		}
		c := &overheard{Conn: conn, host: h, life: life}
		c.quiet.Store(time.Now().UnixNano())
		return c, nil
	}
}

// open dials and asks for one answer: a server that stands still accepts
// connections too, and what is sent on them is not known to be lost.
func (b *breaker) open(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := b.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	if err := ping(ctx, conn); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

// cutOff says that somebody hung up. That befalls single connections, where a
// server that is away refuses all or does not answer.
func cutOff(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// ping takes every answer for one, also that the server is loading or wants a
// password, but those after which it hangs up.
func ping(ctx context.Context, conn net.Conn) error {
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(commandTimeout)
	}
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	if _, err := conn.Write([]byte("*1\r\n$4\r\nPING\r\n")); err != nil {
		return err
	}
	var line []byte
	for b := make([]byte, 512); bytes.IndexByte(line, '\n') < 0; {
		n, err := conn.Read(b)
		line = append(line, b[:n]...)
		if err != nil {
			return err
		}
		if len(line) > 4<<10 {
			return errors.New("what answers is no Redis server")
		}
	}
	for _, hangsUp := range []string{"-ERR max number of clients", "-DENIED"} {
		if bytes.HasPrefix(line, []byte(hangsUp)) {
			return refusal(bytes.TrimSpace(line[1:]))
		}
	}
	return conn.SetDeadline(time.Time{})
}

// refusal is an error that a server answered before go-redis could read it.
type refusal string

func (r refusal) Error() string { return string(r) }

// RedisError implements redis.Error.
func (refusal) RedisError() {}

// host is what the breaker knows of one server.
type host struct {
	breaker       *breaker
	network, addr string
	heard         atomic.Int64 // how often something came from it
	life          atomic.Int64 // connections of an earlier one are not used any more
	trip          trip

	mu      sync.Mutex    // taken before the breaker's; guards:
	away    error         // why nobody is let through; nil while it answers
	asking  bool          // somebody finds out whether it is silent for all
	doubt   bool          // it is not known whether it can be dialled: one at a time finds out
	dials   int           // dials under way
	most    int           // how many may be: with each that is answered one more, until none is under way
	cuts    int           // dials in a row that ended with a cut
	changed chan struct{} // closed when one that waits to dial may look again
	wanted  time.Time     // when somebody asked for it last
}

// enter waits until the host may be dialled, or says why it may not. Few dial
// before one is answered, and while there is doubt one alone: the others go on
// when it is back, or fail with it.
func (h *host) enter(ctx context.Context) error {
	for {
		h.mu.Lock()
		h.wanted = time.Now()
		if h.away != nil {
			defer h.mu.Unlock()
			return h.away
		}
		if h.dials == 0 {
			h.most = firstDials
		}
		if h.dials == 0 || h.dials < h.most && !h.doubt {
			h.dials++
			h.mu.Unlock()
			return nil
		}
		changed := h.changed
		h.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// leave tells how a dial ended; again says that it is worth another one.
func (h *host) leave(ctx context.Context, err error) (again bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dials--
	switch {
	case err == nil:
		h.most++
		h.doubt, h.cuts = false, 0
	case errors.Is(ctx.Err(), context.Canceled): // nobody waits for it any more, which says nothing of the server
	case cutOff(err) && h.cuts < dialTries-1:
		h.doubt, again = true, true
		h.cuts++
	default:
		h.lose(err, time.Duration(h.cuts+1)*probeEvery) // those that were cut were dials as well
		h.cuts = 0
	}
	h.tell()
	return again
}

// tell wakes everyone who waits to dial. The caller holds h.mu.
func (h *host) tell() {
	close(h.changed)
	h.changed = make(chan struct{})
}

func (h *host) gone() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.wanted = time.Now()
	return h.away
}

func (h *host) doubtful() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.doubt = true
}

// suspect asks the host once more, apart from all others, before it is taken for
// away: it may have been one request that takes long, or this process that had no
// time to read.
func (h *host) suspect() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.away != nil || h.asking {
		return
	}
	h.asking = true
	h.breaker.spawn(func() {
		ctx, cancel := context.WithTimeout(h.breaker.ctx, min(commandTimeout, probeEvery+dialTrips*h.trip.least()))
		defer cancel()
		conn, err := h.breaker.open(ctx, h.network, h.addr)
		if err == nil {
			_ = conn.Close()
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.asking = false
		if err != nil {
			h.lose(errSilent, 0)
		}
	})
}

// lose notes that the host is away and has it probed, the first time after wait.
// The caller holds h.mu.
func (h *host) lose(err error, wait time.Duration) {
	h.doubt = true
	if h.away == nil {
		h.away = err
		h.life.Add(1)
		h.breaker.spawn(func() { h.probe(wait) })
		h.tell()
	}
}

// probe dials until the host answers. It does not wait for one answer before it
// asks again, since the next may come sooner.
func (h *host) probe(wait time.Duration) {
	ctx, cancel := context.WithCancel(h.breaker.ctx)
	defer cancel()
	answers := make(chan struct{}, 1)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-answers:
			h.mu.Lock()
			h.away, h.doubt, h.cuts = nil, false, 0
			h.mu.Unlock()
			return
		case <-timer.C:
		}
		if h.forgotten() {
			return
		}
		timer.Reset(probeEvery)
		h.breaker.spawn(func() {
			ctx, cancel := context.WithTimeout(ctx, commandTimeout)
			defer cancel()
			conn, err := h.breaker.open(ctx, h.network, h.addr)
			if err != nil {
				return
			}
			_ = conn.Close()
			select {
			case answers <- struct{}{}:
			default: // another was sooner
			}
		})
	}
}

// forgotten gives a host up that nobody wants any more: after a failover its
// address may never come back.
func (h *host) forgotten() bool {
	h.mu.Lock()
	wanted := time.Since(h.wanted) < forgetAfter
	h.mu.Unlock()
	if wanted {
		return false
	}
	h.breaker.mu.Lock()
	defer h.breaker.mu.Unlock()
	delete(h.breaker.hosts, h.addr)
	return true
}

// overheard is a connection that tells the breaker what it hears.
type overheard struct {
	net.Conn
	host  *host
	life  int64
	waits bool         // its replies come when there is something to say, which tells nothing of the link
	open  atomic.Bool  // something was sent and nothing came back yet
	quiet atomic.Int64 // since when nothing came, in nanoseconds
	heard atomic.Int64 // what the host had said by then
}

// Write sends nothing when the host is away, or was since the connection was
// made: whoever is between two replies learns for sure that nothing was sent.
func (c *overheard) Write(b []byte) (int, error) {
	if err := c.useless(); err != nil {
		if c.open.Load() {
			return 0, fmt.Errorf("in the middle of a request: %w", err)
		}
		return 0, &dialError{err}
	}
	if !c.open.Swap(true) {
		c.note(c.host.heard.Load(), time.Now())
	}
	n, err := c.Conn.Write(b)
	c.judge(err)
	return n, err
}

func (c *overheard) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		now := time.Now()
		if c.open.Swap(false) && !c.waits {
			c.host.trip.took(time.Duration(now.UnixNano()-c.quiet.Load()), now)
		}
		c.note(c.host.heard.Add(1), now)
	}
	c.judge(err)
	return n, err
}

func (c *overheard) note(heard int64, at time.Time) {
	c.heard.Store(heard)
	c.quiet.Store(at.UnixNano())
}

// judge tells what an error of the connection says of the host.
func (c *overheard) judge(err error) {
	if err == nil {
		return
	}
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, net.ErrClosed) || c.life != c.host.life.Load():
	case errors.As(err, &timeout) && timeout.Timeout():
		if c.heard.Load() == c.host.heard.Load() && time.Now().UnixNano()-c.quiet.Load() >= int64(silentAfter) {
			c.host.suspect()
		}
	default:
		c.host.doubtful()
	}
}

// useless says why nothing may be sent any more.
func (c *overheard) useless() error {
	if c.life == c.host.life.Load() {
		return nil
	}
	if away := c.host.gone(); away != nil {
		return away
	}
	return errOld
}

// SyscallConn is what go-redis asks for before it takes a connection from its
// pool: an error makes it take another one.
func (c *overheard) SyscallConn() (syscall.RawConn, error) {
	if err := c.useless(); err != nil {
		return nil, err
	}
	if inner, ok := c.Conn.(syscall.Conn); ok {
		return inner.SyscallConn()
	}
	return opaque{}, nil
}

// opaque stands for a connection that cannot be looked at from outside, such as one of TLS.
type opaque struct{}

func (opaque) Control(func(uintptr)) error    { return nil }
func (opaque) Read(func(uintptr) bool) error  { return nil }
func (opaque) Write(func(uintptr) bool) error { return nil }

// broken is handed to go-redis instead of a connection that could not be made.
// Its pool, after as many failed dials as it holds connections, dials only once a
// second by itself; the breaker knows better when it is time.
type broken struct{ err error }

func (b broken) Read([]byte) (int, error)              { return 0, b.err }
func (b broken) Write([]byte) (int, error)             { return 0, b.err }
func (b broken) Close() error                          { return nil }
func (b broken) LocalAddr() net.Addr                   { return &net.TCPAddr{} }
func (b broken) RemoteAddr() net.Addr                  { return &net.TCPAddr{} }
func (b broken) SetDeadline(time.Time) error           { return nil }
func (b broken) SetReadDeadline(time.Time) error       { return nil }
func (b broken) SetWriteDeadline(time.Time) error      { return nil }
func (b broken) SyscallConn() (syscall.RawConn, error) { return nil, b.err }
