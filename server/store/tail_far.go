package store

import (
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"readout/server/reading"
)

const (
	farAway     = 50 * time.Millisecond // the round trip from which on a second lane is worth its connection
	assistAgain = time.Second           // between two attempts to have one
)

// On a far link a reading that arrives just after a read was answered waits until
// that answer is here and the next one as well: two round trips. So while the
// server is far away a second lane, with a connection of its own, reads between
// the reads of the first: once for each of them, half a round trip after it was
// sent, and at once when a watch is added. It does not wait at the server, where
// the first one does. What both bring is handed out once, by position.
//
// Both must find the same history: the second lane has to lead to the process that
// the first one leads to, it ends with the first one's connection, and what it
// brings after that is not handed out.

// assist starts a second lane if it is time for one.
func (r *reader) assist(first *lane) {
	if !first.isFar() || first.process == "" || first.alone.Load() || time.Since(first.wanted) < assistAgain {
		return
	}
	first.wanted = time.Now()
	if !first.assisted.Swap(true) {
		life := r.life
		r.store.spawn(func() {
			defer first.assisted.Store(false)
			r.between(first, life)
		})
	}
}

// between is the second lane.
func (r *reader) between(first *lane, life int) {
	second := r.store.newLane(first.ctx)
	defer second.end()
	second.wire.wait(tailPatience)
	for first.isFar() && r.turn(first) {
		q, ok := r.extra(life)
		if !ok {
			return
		}
		res, _, err := r.read(second, q.list, reading.StreamID{}, false)
		switch {
		case err == nil && second.process == first.process:
			r.store.stats.tailReads.Add(1)
			r.hand(q, res)
		case err == nil:
			first.alone.Store(true) // the address leads to several servers
			return
		case !refused(err): // what is refused is so to the first lane too, which sees to it
			if first.ctx.Err() == nil {
				r.store.tailFailed(err)
			}
			return
		}
	}
}

// turn waits until the second lane is to read. It is false when the first has ended.
func (r *reader) turn(first *lane) bool {
	select {
	case <-r.asked:
	case <-r.added:
		return true
	case <-first.ctx.Done():
		return false
	}
	r.mu.Lock()
	wait := time.Until(r.last.Add(first.wire.trip() / 2))
	r.mu.Unlock()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.added:
		return true
	case <-first.ctx.Done():
		return false
	}
}

// extra is a read of the second lane; it is nothing when the first has another
// connection by now.
func (r *reader) extra(life int) (q request, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.life != life {
		return q, false
	}
	return r.request(), true
}

// isFar reports whether the server is far away.
func (l *lane) isFar() bool { return l.wire.trip() >= farAway }

// refused says that the server answered, and with an error.
func refused(err error) bool {
	var answer redis.Error
	return err != nil && errors.As(err, &answer)
}
