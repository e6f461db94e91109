package hub

import (
	"math/rand/v2"
	"time"

	"readout/server/reading"
)

type state uint8

const (
	joining state = iota // waits for its first message, or for a read of the store
	live                 // gets every batch as it comes
	behind               // waits for room in the queue, for its rate, or for resume
	gone
)

// flow is one topic on one subscriber. However many of its subscriptions cover
// the topic, it gets each reading once.
type flow struct {
	subscriber *Subscriber
	st         *streamer
	window     time.Duration
	points     int

	// Guarded by st.mu.
	state   state
	last    reading.Cursor // ended the last message, or where the viewer asked to go on
	resume  bool           // last is set: go on after it instead of with a snapshot
	fell    bool           // the ring moved past it; it gets what it missed conflated
	columns int            // how many of st.columns the subscriber was told
	every   time.Duration  // the shortest time between two messages; 0 for none
	next    time.Time      // when the next message may go
	timer   *time.Timer    // brings it back then
}

func (f *flow) advance(end reading.Cursor, now time.Time) {
	f.last, f.resume = end, true
	if f.every > 0 {
		f.next = now.Add(f.every)
	}
}

// goOn brings a flow that is behind to where its topic is.
func (f *flow) goOn() {
	f.st.mu.Lock()
	defer f.st.mu.Unlock()
	if f.state == behind {
		f.st.catchUp(f)
	}
}

// begin sends a flow's first message and makes it live, or brings it back after
// the ring moved past it. It may read the store, so it runs in the subscriber's
// joining goroutine and never under a lock. What cannot be read now is tried
// again later, and does not hold the other topics up.
func (f *flow) begin() {
	st := f.st
	select {
	case <-st.ready:
	default:
		f.later(st.ready)
		return
	}
	if f.beginFromRing() {
		return
	}
	var err error
	if f.resume {
		err = f.resumeFromStore()
	} else {
		err = f.snapshotFromStore()
	}
	if err != nil {
		st.trouble(err)
		f.later(nil)
		return
	}
	st.answersAgain()
}

// later begins again when ready is closed, or without one after a pause. It is
// called by the joining goroutine, which the subscriber waits for.
func (f *flow) later(ready <-chan struct{}) {
	f.subscriber.runs.Go(func() {
		pause := make(<-chan time.Time)
		if ready == nil {
			timer := time.NewTimer(time.Second/2 + rand.N(time.Second))
			defer timer.Stop()
			pause = timer.C
		}
		select {
		case <-ready:
			f.subscriber.join(f)
		case <-pause:
			f.subscriber.join(f)
		case <-f.st.ctx.Done():
		case <-f.subscriber.ctx.Done():
		}
	})
}

// beginFromRing is false when only the store knows what to send.
func (f *flow) beginFromRing() bool {
	st := f.st
	st.mu.Lock()
	defer st.mu.Unlock()
	if f.state == gone {
		return true
	}
	if f.resume {
		entries, ok := st.ring.after(f.last)
		if ok {
			st.continueWith(f, entries, st.ring.end)
		}
		return ok
	}
	frame, ok := st.snapshot(f.window, f.points)
	if ok {
		st.open(f, frame, st.ring.end)
	}
	return ok
}

// open sends a snapshot that ends at end and lets the flow go on from there.
// The caller holds st.mu.
func (st *streamer) open(f *flow, frame []byte, end reading.Cursor) {
	f.subscriber.push(frame)
	f.columns = len(st.columns)
	f.advance(end, time.Now())
	st.catchUp(f)
}

// continueWith confirms a flow that asked to go on after a cursor: with what
// follows, even if that is nothing. It names the columns anew, since another
// replica may have named them in another order. The caller holds st.mu.
func (st *streamer) continueWith(f *flow, entries []reading.Entry, end reading.Cursor) {
	const most = 1000 // readings in one message
	list := flatten(entries)
	// Only the last message may end at end: the cursors between are those of entries.
	for len(list) > most {
		n, at := 0, 0
		for n+len(entries[at].Readings) <= most || at == 0 {
			n += len(entries[at].Readings)
			at++
		}
		st.confirm(f, list[:n], n, entries[at-1].Cursor)
		list, entries = list[n:], entries[at:]
	}
	st.confirm(f, list, len(list), end)
	f.fell = false
	st.catchUp(f)
}

// confirm sends readings that follow f.last and end at end. of is how many they
// stand for. The caller holds st.mu.
func (st *streamer) confirm(f *flow, list []reading.Reading, of int, end reading.Cursor) {
	r := rows{topic: st.topic, order: st.columns, readings: list, id: end, prev: f.last, of: of}
	if f.fell {
		most := wholeCatchUp
		if f.every > 0 {
			most = wholeAtRate
		}
		r.readings = conflate(list, st.columns, most)
	}
	st.hub.counters.conflated.Add(int64(of - len(r.readings)))
	if f.columns != len(st.columns) || len(st.columns) == 0 {
		r.columns, r.units = st.columns, st.units()
		if r.columns == nil {
			r.columns = []string{}
		}
	}
	f.subscriber.push(readings(r))
	f.columns = len(st.columns)
	f.advance(end, time.Now())
	st.hub.counters.readings.Add(int64(len(r.readings)))
}

func (f *flow) snapshotFromStore() error {
	st := f.st
	h, err := st.recent(f.window)
	if err != nil {
		return err
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if f.state == gone {
		return nil
	}
	st.learn(h.Entries)
	from := time.Now().Add(-f.window).UnixMilli()
	st.open(f, st.encodeSnapshot(flatten(h.Entries), h.End, from, f.points), h.End)
	return nil
}

// resumeEntries is what one read of a resume brings at most. Entries may be
// packed, and what is read waits in memory until the viewer has taken it.
const resumeEntries = 200

// gathered is what a flow with a rate has missed over several reads: one message
// will stand for it.
type gathered struct {
	list []reading.Reading
	of   int
}

func (f *flow) resumeFromStore() error {
	var g gathered
	f.st.mu.Lock()
	after := f.last
	f.st.mu.Unlock()
	for {
		r, err := f.st.hub.o.Resume(f.st.ctx, f.st.topic, after, resumeEntries)
		if err != nil {
			return err
		}
		if r.Verdict == reading.Reset {
			f.restart()
			return f.snapshotFromStore()
		}
		after = r.End
		if f.resumeWith(r, &g) || !f.subscriber.awaitRoom() {
			return nil
		}
	}
}

// restart tells the viewer that its history is another one.
func (f *flow) restart() {
	f.st.mu.Lock()
	defer f.st.mu.Unlock()
	if f.state != gone {
		f.st.hub.counters.resets.Add(1)
		f.subscriber.push(reset(f.st.topic))
		f.resume, f.fell = false, false
	}
}

// resumeWith sends what one read brought, or gathers it. It is true when that
// was all.
func (f *flow) resumeWith(r reading.Resumed, g *gathered) (done bool) {
	st := f.st
	st.mu.Lock()
	defer st.mu.Unlock()
	if f.state == gone {
		return true
	}
	st.learn(r.Entries)
	if r.Verdict == reading.Gap {
		if g.of > 0 {
			st.confirm(f, g.list, g.of, r.From)
			*g = gathered{}
		}
		st.hub.counters.gaps.Add(1)
		to := r.End
		if len(r.Entries) > 0 {
			to = before(r.Entries[0].Cursor)
		}
		f.subscriber.push(gap(st.topic, f.last, to, r.Lost, trimmed))
		f.last = to
	}
	if f.fell && f.every > 0 {
		list := flatten(r.Entries)
		g.of += len(list)
		g.list = conflate(append(g.list, list...), st.columns, wholeAtRate)
		if r.More {
			return false
		}
		st.confirm(f, g.list, g.of, r.End)
		f.fell = false
		st.catchUp(f)
		return true
	}
	if r.More {
		list := flatten(r.Entries)
		st.confirm(f, list, len(list), r.End)
		return false
	}
	st.continueWith(f, r.Entries, r.End)
	return true
}
