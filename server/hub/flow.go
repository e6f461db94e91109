package hub

import (
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
}

func (f *flow) advance(end reading.Cursor, now time.Time) {
	f.last, f.resume = end, true
	if f.every > 0 {
		f.next = now.Add(f.every)
	}
}

// begin sends a flow's first message and makes it live, or brings it back after
// the ring moved past it. It may read the store, so it runs in the subscriber's
// joining goroutine and never under a lock.
func (f *flow) begin() {
	st := f.st
	select {
	case <-st.ready:
	case <-st.ctx.Done():
		return
	case <-f.subscriber.ctx.Done():
		return
	}
	st.mu.Lock()
	if f.state == gone {
		st.mu.Unlock()
		return
	}
	if f.resume {
		if entries, ok := st.ring.after(f.last); ok && f.last.ID.Compare(st.ring.end.ID) <= 0 {
			st.continueWith(f, entries, st.ring.end)
			st.mu.Unlock()
			return
		}
		st.mu.Unlock()
		f.resumeFromStore()
		return
	}
	if frame, ok := st.snapshot(f.window, f.points); ok {
		st.open(f, frame, st.ring.end)
		st.mu.Unlock()
		return
	}
	st.mu.Unlock()
	f.snapshotFromStore()
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
		st.confirm(f, list[:n], entries[at-1].Cursor)
		list, entries = list[n:], entries[at:]
	}
	st.confirm(f, list, end)
	f.fell = false
	st.catchUp(f)
}

func (st *streamer) confirm(f *flow, list []reading.Reading, end reading.Cursor) {
	r := rows{topic: st.topic, order: st.columns, readings: list, id: end, prev: f.last, of: len(list)}
	if f.fell {
		r.readings = conflate(list, st.columns, wholeCatchUp)
		st.hub.counters.conflated.Add(int64(len(list) - len(r.readings)))
	}
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

func (f *flow) snapshotFromStore() {
	st := f.st
	h, err := retry(f.subscriber.ctx, func() (reading.History, error) { return f.ask(st.recent(f.window)) })
	if err != nil {
		return
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if f.state == gone {
		return
	}
	st.learn(h.Entries)
	from := time.Now().Add(-f.window).UnixMilli()
	st.open(f, st.encodeSnapshot(flatten(h.Entries), h.End, from, f.points), h.End)
}

// resumeEntries is what one read of a resume brings at most. Entries may be
// packed, and what is read waits in memory until the viewer has taken it.
const resumeEntries = 200

func (f *flow) resumeFromStore() {
	st := f.st
	for {
		st.mu.Lock()
		after := f.last
		st.mu.Unlock()
		r, err := retry(f.subscriber.ctx, func() (reading.Resumed, error) {
			r, err := st.hub.o.Resume(st.ctx, st.topic, after, resumeEntries)
			if err != nil {
				st.trouble(err)
			}
			return r, err
		})
		if err != nil {
			return
		}
		st.mu.Lock()
		if f.state == gone {
			st.mu.Unlock()
			return
		}
		st.learn(r.Entries)
		switch r.Verdict {
		case reading.Reset:
			st.hub.counters.resets.Add(1)
			f.subscriber.push(reset(st.topic))
			f.resume = false
			st.mu.Unlock()
			f.snapshotFromStore()
			return
		case reading.Gap:
			st.hub.counters.gaps.Add(1)
			to := r.End
			if len(r.Entries) > 0 {
				to = before(r.Entries[0].Cursor)
			}
			f.subscriber.push(gap(st.topic, f.last, to, r.Lost, trimmed))
			f.last = to
		case reading.Continuous:
		}
		if !r.More {
			st.continueWith(f, r.Entries, r.End)
			st.mu.Unlock()
			return
		}
		st.confirm(f, flatten(r.Entries), r.End)
		st.mu.Unlock()
		if !f.subscriber.awaitRoom() {
			return
		}
	}
}

// ask tells the flow's viewers once when the store does not answer.
func (f *flow) ask(h reading.History, err error) (reading.History, error) {
	if err != nil {
		f.st.trouble(err)
	}
	return h, err
}
