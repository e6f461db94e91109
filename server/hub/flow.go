package hub

import (
	"cmp"
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
	rates      bool // counters come as rates

	// Guarded by st.mu.
	state  state
	last   reading.Cursor // ended the last message, or where the viewer asked to go on
	resume bool           // last is set: go on after it instead of with a snapshot
	fell   bool           // the ring moved past it; it gets what it missed conflated
	why    string         // the ring moved past it: what a gap says; trimmed if empty
	begun  int            // the loading of the ring that last was held against
	ill    bool           // its subscriber was told that the topic cannot be read, and nothing since
	wrong  bool           // and that was because its key is no stream
	told   int            // the version of st.naming that the subscriber was told
	every  time.Duration  // the shortest time between two messages; 0 for none
	next   time.Time      // when the next message may go
	timer  *time.Timer    // brings it back then
}

func (f *flow) advance(end reading.Cursor, now time.Time) {
	f.last, f.resume, f.ill = end, true, false
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
		st.mu.Lock()
		st.tellIll(f)
		st.mu.Unlock()
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
	switch {
	case f.subscriber.ctx.Err() != nil:
		return
	case err != nil:
		st.unread(f, err)
		f.later(nil)
		return
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	st.tellIll(f)
}

// later begins again when ready is closed, or without one after a pause. It is
// called by the joining goroutine, which the subscriber waits for.
func (f *flow) later(ready <-chan struct{}) {
	f.subscriber.runs.Go(func() {
		pause := make(<-chan time.Time)
		if ready == nil {
			timer := time.NewTimer(time.Second/4 + rand.N(time.Second/2))
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
	f.begun = st.begun
	if f.resume {
		entries, ok := st.ring.after(f.last, st.variant(f))
		if ok {
			st.continueWith(f, entries, st.ring.end)
			st.tellIll(f)
		}
		return ok
	}
	frame, ok := st.snapshot(f.window, f.points, st.variant(f))
	if ok {
		st.open(f, frame, st.ring.end)
		st.tellIll(f)
	}
	return ok
}

// isIll tells the subscriber, once, that the topic cannot be read. The caller holds st.mu.
func (f *flow) isIll(frame []byte, wrong bool) {
	if f.state != gone && !(f.ill && f.wrong == wrong) {
		f.ill, f.wrong = true, wrong
		f.subscriber.push(frame)
	}
}

// open sends a snapshot that ends at end and lets the flow go on from there.
// The caller holds st.mu.
func (st *streamer) open(f *flow, frame []byte, end reading.Cursor) {
	f.subscriber.push(frame)
	f.told = st.naming.version
	f.advance(end, time.Now())
	st.catchUp(f)
}

// continueWith confirms a flow that asked to go on after a cursor: with what
// follows, in the flow's variant, even if that is nothing. It names the columns anew, since another
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
	f.fell, f.why = false, ""
	st.catchUp(f)
}

// confirm sends readings that follow f.last and end at end. of is how many they
// stand for. The caller holds st.mu.
func (st *streamer) confirm(f *flow, list []reading.Reading, of int, end reading.Cursor) {
	r := rows{topic: st.topic, order: st.naming.columns, readings: list, id: end, prev: f.last, of: of}
	if f.fell {
		most := wholeCatchUp
		if f.every > 0 {
			most = wholeAtRate
		}
		r.readings = Conflate(list, st.naming.columns, most)
	}
	st.hub.counters.conflated.Add(int64(of - len(r.readings)))
	if f.told != st.naming.version || len(st.naming.columns) == 0 {
		r.columns, r.units = st.naming.columns, st.naming.units[st.variant(f)]
		if r.columns == nil {
			r.columns = []string{}
		}
	}
	f.subscriber.push(readings(r))
	f.told = st.naming.version
	f.advance(end, time.Now())
	st.hub.counters.readings.Add(int64(len(r.readings)))
}

func (f *flow) snapshotFromStore() error {
	for {
		begun, earlier := f.st.about(f)
		h, err := f.st.recent(f.subscriber.ctx, begun, f.window, earlier)
		if err != nil || f.openWith(h, begun) {
			return err
		}
	}
}

// openWith sends a snapshot of what was read from the store. It is false when the
// streamer began again meanwhile, so that this may be the past.
func (f *flow) openWith(h reading.History, begun int) bool {
	st := f.st
	st.mu.Lock()
	defer st.mu.Unlock()
	if f.state == gone {
		return true
	}
	if begun != st.begun {
		return false
	}
	f.begun = begun
	st.learn(h.Entries)
	from := time.Now().Add(-f.window).UnixMilli()
	list := st.rated(f, &meter{}, flatten(h.Entries))
	st.open(f, st.encodeSnapshot(list, h.End, from, f.points, st.variant(f)), h.End)
	return true
}

// resumeEntries is what one read of a resume brings at most. Entries may be
// packed, and what is read waits in memory until the viewer has taken it.
const resumeEntries = 200

// gathered is what a flow that fell behind has missed over several reads: one
// message will stand for it.
type gathered struct {
	list  []reading.Reading
	of    int
	meter meter // where the counters are after what was read so far
}

func (f *flow) resumeFromStore() error {
	g := gathered{}
	f.st.mu.Lock()
	after := f.last
	f.begun = f.st.begun
	begun := f.begun
	f.st.mu.Unlock()
	for {
		r, err := f.st.resume(f.subscriber.ctx, begun, after)
		if err != nil {
			return err
		}
		if r.Verdict == reading.Reset {
			f.restart()
			return f.snapshotFromStore()
		}
		after = r.End
		done, anew := f.resumeWith(r, &g)
		if anew {
			return f.snapshotFromStore()
		}
		if done || !f.subscriber.awaitRoom() {
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
		f.resume, f.fell, f.why, f.ill = false, false, "", false
	}
}

// resumeWith sends what one read brought, or gathers it. done says that that was
// all, and anew that the flow begins with a snapshot after all.
func (f *flow) resumeWith(r reading.Resumed, g *gathered) (done, anew bool) {
	st := f.st
	st.mu.Lock()
	defer st.mu.Unlock()
	if f.state == gone {
		return true, false
	}
	st.learn(r.Entries)
	if !f.resume {
		return false, true
	}
	if st.variant(f) == asRates {
		if r.Verdict == reading.Gap {
			g.meter = meter{} // what came before is not what came just before
		}
		g.meter.count(st.naming.counters)
		g.meter.read(r.Before)
		rated := make([]reading.Entry, len(r.Entries))
		for i, e := range r.Entries {
			rated[i] = reading.Entry{Cursor: e.Cursor, Readings: g.meter.rates(e.Readings)}
		}
		r.Entries = rated
	}
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
		f.subscriber.push(gap(st.topic, f.last, to, r.Lost, cmp.Or(f.why, trimmed)))
		f.last, f.ill = to, false
	}
	if f.fell {
		list := flatten(r.Entries)
		g.of += len(list)
		g.list = Conflate(append(g.list, list...), st.naming.columns, wholeCatchUp)
		if r.More {
			return false, false
		}
		st.confirm(f, g.list, g.of, r.End)
		f.fell, f.why = false, ""
		st.catchUp(f)
		return true, false
	}
	if r.More {
		list := flatten(r.Entries)
		st.confirm(f, list, len(list), r.End)
		return false, false
	}
	st.continueWith(f, r.Entries, r.End)
	return true, false
}
