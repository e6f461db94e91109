package hub

import (
	"context"
	"runtime/debug"
	"time"

	"readout/server/reading"
)

// A tail sees what is appended and nothing else: XREAD is silent about a stream
// that was emptied, trimmed past its reader, or put back to an older history. The
// anchor check, Options.Resume with a limit of 0, tells these apart. A streamer
// is checked after every error of its tail before anything that came after it is
// published, before a batch that may hide a hole, and every now and then.
const (
	checksASecond = 500                    // periodic ones over all streamers
	oftenChecked  = time.Second            // how often a streamer is checked at most
	seldomChecked = 10 * time.Second       // and at least
	checkTick     = 100 * time.Millisecond // between two looks at which ones are due
	secondLook    = 250 * time.Millisecond // what the tail has in its hands has come by then
)

// keepChecking asks for the streamers that are due, while there are any.
func (h *Hub) keepChecking() {
	tick := time.NewTicker(checkTick)
	defer tick.Stop()
	for {
		select {
		case <-h.ctx.Done():
			return
		case <-tick.C:
		case <-h.doubts:
		}
		due, some := h.due(time.Now())
		if !some {
			return
		}
		for _, st := range due {
			h.running.Go(st.check)
		}
	}
}

// due returns the streamers to check now and notes when they are next. Without
// any streamer keepChecking ends.
func (h *Hub) due(now time.Time) (list []*streamer, some bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.streamers) == 0 {
		h.checking = false
		return nil, false
	}
	every := min(seldomChecked, max(oftenChecked, time.Duration(len(h.streamers))*time.Second/checksASecond))
	for _, st := range h.streamers {
		switch {
		case st.next.After(now):
		case st.checking: // the store is slow
		default:
			st.checking, st.next = true, now.Add(jitter(every))
			list = append(list, st)
		}
	}
	return list, true
}

// doubt has a streamer checked now.
func (h *Hub) doubt(topic reading.Topic) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if st := h.streamers[topic]; st != nil {
		st.next = time.Time{}
		signal(h.doubts)
	}
}

// check is the periodic one. It runs beside the tail, which may have read on
// meanwhile, or hold a batch in its hands: that something was trimmed is a
// suspicion until a second look finds the same of the same end. That the stream is
// another one needs none: where the ring ends was published, and a stream only
// grows. A check that fails is no verdict.
func (st *streamer) check() {
	defer func() {
		st.hub.mu.Lock()
		st.checking = false
		st.hub.mu.Unlock()
		if p := recover(); p != nil {
			st.fail(p, debug.Stack())
		}
	}()
	var suspected reading.Cursor
	for look := range 5 { // a tail that moves on all the time is alive
		end, begun, following := st.anchor()
		if !following {
			return
		}
		r, err := st.ask(st.ctx, end, 0)
		switch {
		case err != nil:
			return
		case r.Verdict == reading.Continuous:
			st.prove(end)
			if look > 0 {
				st.hub.counters.cleared.Add(1)
			}
			return
		case r.Verdict == reading.Reset, look > 0 && end == suspected:
			st.overtaken(end, begun, r.Verdict)
			return
		}
		suspected = end
		timer := time.NewTimer(secondLook)
		select {
		case <-st.ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// continues is the check in the tail's own order, before entries that the tail
// brought are published: they must be what follows the ring's end in the stream.
// When it is false the streamer begins again, also when the store does not
// answer: nothing is published unverified.
func (st *streamer) continues(ctx context.Context, entries []reading.Entry) bool {
	end, begun, _ := st.anchor()
	r, err := st.ask(ctx, end, 1)
	for err == nil && r.Verdict == reading.Continuous && len(r.Entries) == 0 && r.More { // entries that hold no reading
		r, err = st.ask(ctx, r.End, resumeEntries)
	}
	same := len(entries) == 0 || len(r.Entries) > 0 && r.Entries[0].Cursor.ID == entries[0].Cursor.ID
	switch {
	case ctx.Err() != nil:
		return false
	case err != nil:
		st.trouble(err)
	case r.Verdict == reading.Continuous && same:
		st.mu.Lock()
		defer st.mu.Unlock()
		st.deaf, st.proven = false, wallClock()
		return true
	}
	st.overtaken(end, begun, r.Verdict)
	return false
}

func (st *streamer) ask(ctx context.Context, end reading.Cursor, limit int) (reading.Resumed, error) {
	c := &st.hub.counters
	c.checks.Add(1)
	r, err := st.hub.o.Resume(ctx, st.topic, end, limit)
	if err != nil && ctx.Err() == nil {
		c.checksFailed.Add(1)
	}
	return r, err
}

// anchor returns where the ring ends, which loading of it that is, and whether the
// tail follows from there now.
func (st *streamer) anchor() (end reading.Cursor, begun int, following bool) {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.ring.end, st.begun, st.following && !st.deaf
}

// prove notes that the stream continued at end just now.
func (st *streamer) prove(end reading.Cursor) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.ring.end == end {
		st.proven = wallClock()
	}
}

// doubtful says that a batch of so many entries may begin after a hole: the tail
// could not read before, or the stream may have been trimmed past it meanwhile.
func (st *streamer) doubtful(entries int) bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	many := st.hub.o.Doubt > 0 && entries >= st.hub.o.Doubt
	return st.deaf || many || wallClock().Sub(st.proven) > st.hub.o.Window/2
}

// wallClock is the time without the monotonic clock, which stands still while
// the machine sleeps and streams elsewhere are trimmed.
func wallClock() time.Time { return time.Now().Round(0) }

// overtaken makes the streamer begin again: the stream was trimmed past the tail,
// or is another one, or nobody knows. The flows go on from the store by their own
// cursors, which tells each of them what it did not get.
func (st *streamer) overtaken(end reading.Cursor, begun int, verdict reading.Verdict) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.begun != begun || verdict != reading.Reset && st.ring.end != end { // it has begun again, or read on, since
		return
	}
	switch verdict {
	case reading.Gap:
		st.hub.counters.overtaken.Add(1)
	case reading.Reset:
		st.hub.counters.replaced.Add(1)
	}
	if st.missed = trimmed; st.deaf {
		st.missed = outage
	}
	st.beginAgain()
}
