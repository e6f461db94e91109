package store

import (
	"sync"
	"time"
)

// tripWindow is how long the shortest of the round trips stands for the link.
const tripWindow = 250 * time.Millisecond

// trip is how long a round trip to a server takes at least: the shortest of late,
// since all that is longer may be the server's work or this process's.
type trip struct {
	mu     sync.Mutex // guards:
	before time.Duration
	now    time.Duration
	until  time.Time // when what is now was before
}

// took notes how long a reply took that began at a time.
func (t *trip) took(d time.Duration, at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.until.IsZero():
		t.before, t.now, t.until = d, d, at.Add(tripWindow)
	case at.After(t.until):
		t.before, t.now, t.until = t.now, d, at.Add(tripWindow)
	default:
		t.now = min(t.now, d)
	}
}

// least is 0 as long as nothing is known.
func (t *trip) least() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return min(t.before, t.now)
}
