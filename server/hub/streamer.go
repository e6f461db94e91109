package hub

import (
	"context"
	"sync"
	"time"

	"readout/server/reading"
)

const (
	ringReadings = 600  // readings kept in a streamer's ring: ten minutes at one a second
	maxColumns   = 1024 // as in the catalog; further ones are stored and not shown
	wholeAtRate  = 16   // readings in one message to a subscriber that asked for a rate
	wholeCatchUp = 256  // readings that a subscriber who fell behind still gets one by one
)

// streamer tails one topic for this replica while anyone watches it. Its
// goroutine reads a batch, encodes it once and offers it to every flow.
type streamer struct {
	hub   *Hub
	topic reading.Topic
	ctx   context.Context
	stop  context.CancelFunc
	ready chan struct{} // closed when the ring is loaded

	readers sync.WaitGroup // the goroutines of reads; run waits for them

	watchers int         // guarded by Hub.mu
	linger   *time.Timer // guarded by Hub.mu; set while nobody watches
	next     time.Time   // guarded by Hub.mu; when it is checked again
	checking bool        // guarded by Hub.mu; check runs

	mu     sync.Mutex // guards the fields below and those of every flow of this topic
	ring   ring
	naming naming
	named  int  // the version of naming that the last published frame told
	rating bool // a flow has asked for rates
	flows  map[*flow]struct{}
	ill    []byte             // the frame that says that nothing can be read; nil when the tail reads
	wrong  bool               // ill because the topic's key is no stream
	reads  map[string]*shared // reads of the store under way, by what they ask
	ended  bool               // run has ended: nothing reads any more
	failed bool               // something panicked: whoever watches comes back to another one
	shots  [2]shot            // by variant
	begun  int                // how often the ring was loaded
	missed string             // why readings may be missing after the streamer has begun again
	anew   bool               // the flows begin anew after the streamer has begun again
	proven time.Time          // when the stream was last known to continue at the ring's end; see wallClock
	deaf   bool               // the tail's last read failed
	again  context.CancelFunc // ends the tail, so that the streamer begins again; nil before the first

	following bool // the ring is loaded, and the tail goes on from its end
}

func newStreamer(h *Hub, topic reading.Topic) *streamer {
	st := &streamer{hub: h, topic: topic, ready: make(chan struct{}), flows: map[*flow]struct{}{}, reads: map[string]*shared{}}
	st.ring.most = ringReadings
	st.ctx, st.stop = context.WithCancel(h.ctx)
	return st
}

// publish is the hot path: one encoding for all flows.
func (st *streamer) publish(entries []reading.Entry) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.ill = nil
	st.learn(entries)
	prev := st.ring.end
	lists := [2][]reading.Reading{asStored: flatten(entries)}
	rated := make([]reading.Entry, 0, 4) // does not leave the stack where nothing is a counter
	for _, e := range entries {
		if r := st.ring.add(e); st.ring.meter != nil {
			rated = append(rated, r)
		}
	}
	if len(rated) > 0 {
		lists[asRates] = flatten(rated)
	}
	list := lists[asStored]
	now := time.Now()
	st.proven = now.Round(0)
	if st.hub.o.Observed != nil {
		st.hub.o.Observed(now.Sub(time.UnixMilli(int64(st.ring.end.ID.Ms))), len(list))
	}
	if len(st.flows) == 0 {
		return
	}
	n := &st.naming
	told := st.named != n.version
	st.named = n.version
	var frames [2][]byte // one encoding for all flows of a variant
	for f := range st.flows {
		v := st.variant(f)
		if frames[v] == nil {
			r := rows{topic: st.topic, readings: lists[v], order: n.columns, id: st.ring.end, prev: prev, of: len(list)}
			if told {
				r.columns, r.units = n.columns, n.units[v]
			}
			frames[v] = readings(r)
		}
		st.deliver(f, frames[v], told, len(list), prev, now)
	}
}

// deliver gives a flow the shared frame if it continues where the flow is, and
// otherwise leaves the flow behind, to be caught up from the ring. told says
// that the frame names all columns.
func (st *streamer) deliver(f *flow, frame []byte, told bool, count int, prev reading.Cursor, now time.Time) {
	switch {
	case f.state != live:
	case f.last.ID.Compare(st.ring.end.ID) >= 0: // it joined with a later read of the store
		st.wellAgain(f)
	case f.last != prev || !told && f.told != st.naming.version:
		// Compared whole: a read of the store may not know the ordinal that the tail
		// knows, and the viewer holds prev against what it was sent letter by letter.
		st.catchUp(f)
	case now.Before(f.next):
		f.state = behind
		f.timer = time.AfterFunc(f.next.Sub(now), func() { f.subscriber.left(f) })
	case !f.subscriber.offer(frame):
		f.state = behind
		f.subscriber.left(f)
	default:
		f.told = st.naming.version
		f.advance(st.ring.end, now)
		st.hub.counters.readings.Add(int64(count))
	}
}

// catchUp brings a flow from where it is to the ring's end in one message. The
// caller holds st.mu.
func (st *streamer) catchUp(f *flow) {
	if f.begun != st.begun { // what it was sent may be of another history than the ring
		f.state, f.fell, f.why = joining, true, trimmed
		f.subscriber.join(f)
		return
	}
	if f.last.ID.Compare(st.ring.end.ID) >= 0 { // a read of the store was ahead of the tail
		f.state = live
		st.wellAgain(f)
		return
	}
	entries, ok := st.ring.after(f.last, st.variant(f))
	if !ok { // the ring has moved past it: only the store knows
		f.state, f.fell, f.why = joining, true, slow
		f.subscriber.join(f)
		return
	}
	if !st.send(f, flatten(entries), st.ring.end) {
		f.state = behind
		f.subscriber.left(f)
		return
	}
	f.state = live
}

// send offers readings that follow f.last and end at end, conflated if the flow
// asks for a lower rate or missed too many. The caller holds st.mu.
func (st *streamer) send(f *flow, list []reading.Reading, end reading.Cursor) bool {
	n := &st.naming
	r := rows{topic: st.topic, order: n.columns, id: end, prev: f.last, of: len(list)}
	switch {
	case f.every > 0:
		r.readings = Conflate(list, n.columns, wholeAtRate)
	default:
		r.readings = Conflate(list, n.columns, wholeCatchUp)
	}
	if f.told != n.version {
		r.columns, r.units = n.columns, n.units[st.variant(f)]
	}
	if !f.subscriber.offer(readings(r)) {
		return false
	}
	f.told = n.version
	f.advance(end, time.Now())
	c := &st.hub.counters
	c.readings.Add(int64(len(r.readings)))
	c.conflated.Add(int64(len(list) - len(r.readings)))
	return true
}
