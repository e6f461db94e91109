package store

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	mostFlights = 32                    // pipelines of writes under way, each on a connection of its own
	warmConns   = 48                    // connections that are made before they are needed: a far link has so much under way, reads included
	freeFlights = 4                     // pipelines that leave at once, whoever is in them
	departEvery = 15 * time.Millisecond // between two further ones
	mostCmds    = 256                   // commands in one pipeline, unless one append has more
	mostBytes   = 64 << 10              // bytes in one, likewise: a thin line carries it in time
)

// writer sends all writes. Those that are ready at the same time share a pipeline,
// and several pipelines are under way at once: a link with a round trip of 200 ms
// carries as many pushes as a near one, and none of them waits for the reply to
// another. What a pipeline brought is told command by command; when it was cut,
// those without a reply have failed with the cut.
type writer struct {
	db     redis.UniversalClient
	ctx    context.Context
	spawn  func(func())
	alone  bool        // appends share nothing: in a Cluster one would wait for the servers of all
	inside func() bool // the server is in this process

	mu      sync.Mutex // guards:
	queue   []*order
	flights int       // pipelines under way
	last    time.Time // when the last one left
	heard   time.Time // when the last one with a reply came back, or one left and none was under way
	silent  bool      // the last one came back without a reply
	timed   bool      // a timer runs until the next one may
	spares  []spare   // the latest last
}

// order is the commands of one append, which stay together and in their order.
type order struct {
	cmds  []*redis.Cmd
	bytes int
	done  chan struct{} // closed when there are replies
}

// send sends commands and returns them, or when ctx ends before there are replies
// others in their place, which say whether anything was sent.
func (w *writer) send(ctx context.Context, cmds []*redis.Cmd) []*redis.Cmd {
	now := time.Now()
	w.mu.Lock()
	if len(w.queue) == 0 && patient(ctx, now) && w.ready(now) {
		w.leave(now)
		conn := w.spare(cmds, now)
		w.mu.Unlock()
		w.sendNow(ctx, cmds, conn)
		return cmds
	}
	o := &order{cmds: cmds, done: make(chan struct{})}
	for _, cmd := range cmds {
		o.bytes += bytesOf(cmd.Args())
	}
	w.queue = append(w.queue, o)
	w.depart(now)
	w.mu.Unlock()
	var err error
	select {
	case <-o.done:
		return cmds
	case <-ctx.Done():
		err = ctx.Err()
	case <-w.ctx.Done(): // not every context ends with the store
		err = redis.ErrClosed
	}
	if !w.withdraw(o) {
		err = context.Canceled // the pipeline goes on, and who it belongs to does not wait
	} else {
		err = &dialError{err}
	}
	instead := make([]*redis.Cmd, len(cmds))
	for i := range instead {
		instead[i] = redis.NewCmd(ctx)
		instead[i].SetErr(err)
	}
	return instead
}

// patient reports whether the budget of an append is whole, so that it may wait for
// its pipeline to the end. What is left for another attempt may be less, and who has
// gone waits for nothing.
func patient(ctx context.Context, now time.Time) bool {
	until, bounded := ctx.Deadline()
	return ctx.Err() == nil && (!bounded || until.Sub(now) > writeBudget-departEvery)
}

// sendNow sends commands that find nobody ahead from here, since handing them over
// costs as much again. Whatever becomes of them, what waits goes on.
func (w *writer) sendNow(ctx context.Context, cmds []*redis.Cmd, conn *redis.Conn) {
	silent, fit := true, false
	defer func() {
		if conn != nil && !fit {
			_ = conn.Close() // which gives it back to the pool, or ends it
			conn = nil
		}
		if group := w.land(silent, conn); group != nil {
			w.spawn(func() { w.fly(group) })
		}
	}()
	if conn == nil {
		silent = w.exec(ctx, cmds)
		return
	}
	err := conn.Process(ctx, cmds[0])
	if fit = err == nil; !fit {
		var unsent *dialError
		if errors.As(err, &unsent) { // it had become useless; the pool knows others
			err = w.db.Process(ctx, cmds[0])
		}
	}
	silent = saidNothing(err)
}

// withdraw reports whether an order was still waiting.
func (w *writer) withdraw(o *order) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.queue {
		if w.queue[i] == o {
			w.queue = append(w.queue[:i], w.queue[i+1:]...)
			return true
		}
	}
	return false
}

// depart starts pipelines for what waits, as far as it may. The caller holds w.mu.
func (w *writer) depart(now time.Time) {
	for len(w.queue) > 0 && w.ready(now) {
		group := w.take(now)
		w.spawn(func() { w.fly(group) })
	}
}

// ready reports whether one more pipeline may leave. The caller holds w.mu.
func (w *writer) ready(now time.Time) bool {
	if w.flights == 0 {
		w.heard = now
	} else if !w.alone && (w.silent || now.Sub(w.heard) > silentAfter) {
		return false // what waits is known not to have been sent
	}
	if w.alone || w.flights < freeFlights {
		return true
	}
	if w.timed || w.flights >= mostFlights {
		return false
	}
	wait := departEvery - now.Sub(w.last)
	if wait <= 0 {
		return true
	}
	w.timed = true
	time.AfterFunc(wait, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.timed = false
		w.depart(time.Now())
	})
	return false
}

// leave notes that a pipeline leaves. The caller holds w.mu.
func (w *writer) leave(now time.Time) {
	w.flights++
	w.last = now
}

// take takes from the queue what leaves in one pipeline. The caller holds w.mu.
func (w *writer) take(now time.Time) []*order {
	w.leave(now)
	n, cmds, bytes := 0, 0, 0
	for _, o := range w.queue {
		cmds, bytes = cmds+len(o.cmds), bytes+o.bytes
		if n > 0 && (w.alone || w.silent || cmds > mostCmds || bytes > mostBytes) {
			break
		}
		n++
	}
	group := w.queue[:n:n]
	if w.queue = w.queue[n:]; len(w.queue) == 0 {
		w.queue = nil
	}
	return group
}

// fly sends one pipeline after the other until nothing waits.
func (w *writer) fly(group []*order) {
	for group != nil {
		var cmds []*redis.Cmd
		for _, o := range group {
			cmds = append(cmds, o.cmds...)
		}
		ctx, cancel := context.WithTimeout(w.ctx, writeBudget)
		silent := w.exec(ctx, cmds)
		cancel()
		for _, o := range group {
			close(o.done)
		}
		group = w.land(silent, nil)
	}
}

// land notes how a pipeline came back and returns what leaves in its place. After
// one that brought no reply a single append finds out how the server is.
func (w *writer) land(silent bool, conn *redis.Conn) []*order {
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flights--
	if conn != nil {
		w.keep(conn, now)
	}
	if w.silent = silent; !silent {
		w.heard = now
	}
	if len(w.queue) == 0 || silent && w.flights > 0 {
		return nil
	}
	group := w.take(now)
	w.depart(now)
	return group
}

// warm makes connections, so that none is dialled, in three round trips, at the
// moment when the link gets slow.
func (w *writer) warm(ctx context.Context) {
	client, ok := w.db.(*redis.Client)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	var work sync.WaitGroup
	conns := make([]*redis.Conn, warmConns)
	for i := range conns {
		conns[i] = client.Conn()                         // one of its own until it is closed
		work.Go(func() { _ = conns[i].Ping(ctx).Err() }) // what cannot be made is made when it is needed
	}
	work.Wait()
	for _, conn := range conns {
		_ = conn.Close()
	}
}

// exec sends one pipeline, and reports whether the server said nothing in its time.
func (w *writer) exec(ctx context.Context, cmds []*redis.Cmd) (silent bool) {
	var err error
	if len(cmds) == 1 && !w.alone {
		err = w.db.Process(ctx, cmds[0]) // a pipeline of one costs more
	} else {
		pipe := w.db.Pipeline()
		for _, cmd := range cmds {
			if cmd.Name() == "xadd" { // all else may be done twice
				_ = pipe.Process(ctx, noRetry{cmd}) // only queued
			} else {
				_ = pipe.Process(ctx, cmd)
			}
		}
		err = exec(ctx, pipe)
	}
	return saidNothing(err) // each command holds its own
}

// saidNothing reports whether the server did not answer in time.
func saidNothing(err error) bool {
	if err == nil {
		return false
	}
	kind, _ := judge(err)
	return kind == kindTimeout && !errors.Is(err, context.Canceled) // who has gone says nothing of the server
}

func bytesOf(args []any) int {
	n := 0
	for _, arg := range args {
		n += 16
		switch arg := arg.(type) {
		case string:
			n += len(arg)
		case []byte:
			n += len(arg)
		}
	}
	return n
}

// noRetry keeps the cluster client from sending a command again after a cut
// connection: an XADD may have happened. It still follows MOVED and ASK, which
// are said instead of doing anything.
type noRetry struct{ *redis.Cmd }

func (noRetry) NoRetry() bool { return true }
