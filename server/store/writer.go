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
	db    redis.UniversalClient
	ctx   context.Context
	spawn func(func())
	alone bool // appends share nothing: in a Cluster one would wait for the servers of all

	mu      sync.Mutex // guards:
	queue   []*order
	flights int       // pipelines under way
	last    time.Time // when the last one left
	heard   time.Time // when the last one with a reply came back, or one left and none was under way
	silent  bool      // the last one came back without a reply
	timed   bool      // a timer runs until the next one may
}

// order is the commands of one append, which stay together and in their order.
type order struct {
	cmds  []*redis.Cmd
	bytes int
	done  chan struct{} // closed when there are replies; nil when nobody waits apart
}

// send sends commands and returns them, or when ctx ends before there are replies
// others in their place, which say whether anything was sent.
func (w *writer) send(ctx context.Context, cmds []*redis.Cmd) []*redis.Cmd {
	o := &order{cmds: cmds}
	for _, cmd := range cmds {
		o.bytes += bytesOf(cmd.Args())
	}
	w.mu.Lock()
	if len(w.queue) == 0 && patient(ctx) && w.ready() {
		w.leave()
		w.mu.Unlock()
		w.sendNow(ctx, o)
		return cmds
	}
	o.done = make(chan struct{})
	w.queue = append(w.queue, o)
	w.depart()
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
func patient(ctx context.Context) bool {
	until, bounded := ctx.Deadline()
	return ctx.Err() == nil && (!bounded || time.Until(until) > writeBudget-departEvery)
}

// sendNow sends an order that finds nobody ahead from here, since handing it over
// costs as much again. Whatever becomes of it, what waits goes on.
func (w *writer) sendNow(ctx context.Context, o *order) {
	silent := true
	defer func() {
		if group := w.land(silent); group != nil {
			w.spawn(func() { w.fly(group) })
		}
	}()
	silent = w.exec(ctx, o)
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
func (w *writer) depart() {
	for len(w.queue) > 0 && w.ready() {
		group := w.take()
		w.spawn(func() { w.fly(group) })
	}
}

// ready reports whether one more pipeline may leave. The caller holds w.mu.
func (w *writer) ready() bool {
	if w.flights == 0 {
		w.heard = time.Now()
	} else if !w.alone && (w.silent || time.Since(w.heard) > silentAfter) {
		return false // what waits is known not to have been sent
	}
	if w.alone || w.flights < freeFlights {
		return true
	}
	if w.timed || w.flights >= mostFlights {
		return false
	}
	wait := departEvery - time.Since(w.last)
	if wait <= 0 {
		return true
	}
	w.timed = true
	time.AfterFunc(wait, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.timed = false
		w.depart()
	})
	return false
}

// leave notes that a pipeline leaves. The caller holds w.mu.
func (w *writer) leave() {
	w.flights++
	w.last = time.Now()
}

// take takes from the queue what leaves in one pipeline. The caller holds w.mu.
func (w *writer) take() []*order {
	w.leave()
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
		ctx, cancel := context.WithTimeout(w.ctx, writeBudget)
		group = w.land(w.exec(ctx, group...))
		cancel()
	}
}

// land notes how a pipeline came back and returns what leaves in its place. After
// one that brought no reply a single append finds out how the server is.
func (w *writer) land(silent bool) []*order {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flights--
	if w.silent = silent; !silent {
		w.heard = time.Now()
	}
	if len(w.queue) == 0 || silent && w.flights > 0 {
		return nil
	}
	group := w.take()
	w.depart()
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
func (w *writer) exec(ctx context.Context, group ...*order) (silent bool) {
	var err error
	if len(group) == 1 && len(group[0].cmds) == 1 && !w.alone {
		err = w.db.Process(ctx, group[0].cmds[0]) // a pipeline of one costs more
	} else {
		pipe := w.db.Pipeline()
		for _, o := range group {
			for _, cmd := range o.cmds {
				if cmd.Name() == "xadd" { // all else may be done twice
					_ = pipe.Process(ctx, noRetry{cmd}) // only queued
				} else {
					_ = pipe.Process(ctx, cmd)
				}
			}
		}
		err = exec(ctx, pipe)
	}
	if err != nil { // each command holds its own
		kind, _ := judge(err)
		silent = kind == kindTimeout && !errors.Is(err, context.Canceled) // who has gone says nothing of the server
	}
	for _, o := range group {
		if o.done != nil {
			close(o.done)
		}
	}
	return silent
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
