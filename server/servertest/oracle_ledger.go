package servertest

import (
	"sync"
	"time"

	"readout/server/reading"
)

// outcome is what a writer knows of a push.
type outcome uint8

const (
	unknown outcome = iota // sent and not answered, or answered so: it may be stored
	acked                  // stored, says the server
	refused                // not stored, says the server
)

// push is one push of a topic: the numbers (i*batch, (i+1)*batch] of the topic's i-th.
type push struct {
	first, last time.Time // when it was sent first and last
	id          reading.StreamID
	outcome     outcome
}

// losing is a time in which readings of a topic were taken away on purpose: what
// was sent before its end may be gone.
type losing struct{ from, to time.Time }

// ledger is what was pushed to one topic: the numbers 1, 2, 3, ... one after the
// other. The i-th push holds batch of them.
type ledger struct {
	topic reading.Topic
	batch int64

	mu     sync.Mutex // guards the fields below
	pushes []push
	losses []losing
}

// begin notes a push that is about to be sent and returns its number from 0 on.
func (l *ledger) begin(now time.Time) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pushes = append(l.pushes, push{first: now, last: now})
	return len(l.pushes) - 1
}

// again notes that a push is sent once more.
func (l *ledger) again(i int, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pushes[i].last = now
}

// answered notes what became of a push.
func (l *ledger) answered(i int, o outcome, id reading.StreamID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := &l.pushes[i]
	p.outcome, p.id = o, id
}

// lost notes that what was acknowledged before to may be gone.
func (l *ledger) lost(from, to time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.losses = append(l.losses, losing{from, to})
}

// numbers are those of a push.
func (l *ledger) numbers(i int) (first, last int64) {
	return int64(i)*l.batch + 1, int64(i+1) * l.batch
}

// pushOf returns the push that a number came with, -1 if none did.
func (l *ledger) pushOf(n int64) int {
	i := int((n - 1) / l.batch)
	if n < 1 || i >= len(l.pushes) {
		return -1
	}
	return i
}

// sentAt returns when a number was sent first and last; false for one that never was.
func (l *ledger) sentAt(n int64) (first, last time.Time, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := l.pushOf(n)
	if i < 0 {
		return first, last, false
	}
	return l.pushes[i].first, l.pushes[i].last, true
}

// tally returns how many readings were acknowledged, refused, and of unknown outcome.
func (l *ledger) tally() (yes, no, perhaps int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.pushes {
		switch l.pushes[i].outcome {
		case acked:
			yes += l.batch
		case refused:
			no += l.batch
		default:
			perhaps += l.batch
		}
	}
	return yes, no, perhaps
}
