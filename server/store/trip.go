package store

import (
	"sync"
	"sync/atomic"
	"time"
)

// tripWindow is how long the shortest of the round trips stands for the link.
const tripWindow = 250 * time.Millisecond

// trip is how long a round trip to a server takes at least: the shortest of late,
// since all that is longer may be the server's work or this process's. Nearly every
// reply is longer than another one, and is told so without the lock.
type trip struct {
	now, until atomic.Int64 // the shortest, and when it will be before; set with mu held

	mu     sync.Mutex // guards:
	before int64
}

// took notes how long a reply took that began at a time.
func (t *trip) took(d time.Duration, at time.Time) {
	took, end := d.Nanoseconds(), at.UnixNano()
	if end <= t.until.Load() && took >= t.now.Load() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch until := t.until.Load(); {
	case end <= until:
		t.now.Store(min(t.now.Load(), took))
		return
	case until == 0:
		t.before = took
	default:
		t.before = t.now.Load()
	}
	t.now.Store(took)
	t.until.Store(end + tripWindow.Nanoseconds())
}

// least is 0 as long as nothing is known.
func (t *trip) least() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return time.Duration(min(t.before, t.now.Load()))
}
