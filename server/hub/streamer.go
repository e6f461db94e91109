package hub

import (
	"context"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

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
	reads singleflight.Group

	watchers int         // guarded by Hub.mu
	linger   *time.Timer // guarded by Hub.mu; set while nobody watches

	mu      sync.Mutex // guards the fields below and those of every flow of this topic
	ring    ring
	columns []string // grows, never shrinks or reorders
	flows   map[*flow]struct{}
	stale   time.Time // since when the store does not answer; zero when it does
	shot    shot
}

// shot is the last snapshot that was encoded, for the next who asks the same.
type shot struct {
	window  time.Duration
	points  int
	columns int
	end     reading.Cursor
	at      time.Time
	frame   []byte
}

func newStreamer(h *Hub, topic reading.Topic) *streamer {
	st := &streamer{hub: h, topic: topic, ready: make(chan struct{}), flows: map[*flow]struct{}{}}
	st.ring.most = ringReadings
	st.ctx, st.stop = context.WithCancel(h.ctx)
	return st
}

// run ends with the streamer's context: by the linger in Hub.release or by Hub.Close.
func (st *streamer) run() {
	defer st.stop()
	defer func() {
		if p := recover(); p != nil {
			st.fail(p)
		}
	}()
	history, err := retry(st.ctx, func() (reading.History, error) {
		h, err := st.hub.o.Recent(st.ctx, st.topic, 0, ringReadings)
		if err != nil {
			st.trouble(err)
		}
		return h, err
	})
	if err != nil {
		return
	}
	st.load(history)
	close(st.ready)

	for entries, err := range st.hub.o.Tail(st.ctx, st.topic, history.End) {
		switch {
		case err != nil:
			st.trouble(err)
		case len(entries) > 0:
			st.publish(entries)
		default:
			st.answersAgain()
		}
	}
}

func (st *streamer) load(history reading.History) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.stale = time.Time{}
	st.ring.load(history, len(history.Entries) < ringReadings)
	st.learn(history.Entries)
}

// fail ends a streamer in which something panicked, and it alone: its
// subscribers come back, to a new one.
func (st *streamer) fail(p any) {
	st.hub.counters.panics.Add(1)
	st.hub.o.Logger.Error("panic in a streamer", "topic", st.topic, "panic", p, "stack", string(debug.Stack()))
	st.hub.mu.Lock()
	if st.hub.streamers[st.topic] == st {
		delete(st.hub.streamers, st.topic)
	}
	st.hub.mu.Unlock()
	st.mu.Lock()
	defer st.mu.Unlock()
	for f := range st.flows {
		f.subscriber.Close(Closed{Code: 1011, Reason: "a mistake of this server"})
	}
}

// publish is the hot path: one encoding for all flows.
func (st *streamer) publish(entries []reading.Entry) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.stale = time.Time{}
	grew := st.learn(entries)
	prev := st.ring.end
	for _, e := range entries {
		st.ring.add(e)
	}
	list := flatten(entries)
	now := time.Now()
	if st.hub.o.Observed != nil {
		st.hub.o.Observed(now.Sub(time.UnixMilli(int64(st.ring.end.ID.Ms))), len(list))
	}
	if len(st.flows) == 0 {
		return
	}
	r := rows{topic: st.topic, readings: list, order: st.columns, id: st.ring.end, prev: prev, of: len(list)}
	if grew {
		r.columns, r.units = st.columns, st.units()
	}
	frame := readings(r)
	for f := range st.flows {
		st.deliver(f, frame, grew, len(list), prev, now)
	}
}

// deliver gives a flow the shared frame if it continues where the flow is, and
// otherwise leaves the flow behind, to be caught up from the ring. told says
// that the frame names all columns.
func (st *streamer) deliver(f *flow, frame []byte, told bool, count int, prev reading.Cursor, now time.Time) {
	switch {
	case f.state != live:
	case f.last.ID.Compare(st.ring.end.ID) >= 0: // it joined with a later read of the store
	case f.last != prev || !told && f.columns != len(st.columns):
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
		f.columns = len(st.columns)
		f.advance(st.ring.end, now)
		st.hub.counters.readings.Add(int64(count))
	}
}

// catchUp brings a flow from where it is to the ring's end in one message. The
// caller holds st.mu.
func (st *streamer) catchUp(f *flow) {
	if f.last.ID.Compare(st.ring.end.ID) >= 0 { // a read of the store was ahead of the tail
		f.state = live
		return
	}
	entries, ok := st.ring.after(f.last)
	if !ok { // the ring has moved past it: only the store knows
		f.state, f.fell = joining, true
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
	r := rows{topic: st.topic, order: st.columns, id: end, prev: f.last, of: len(list)}
	switch {
	case f.every > 0:
		r.readings = conflate(list, st.columns, wholeAtRate)
	default:
		r.readings = conflate(list, st.columns, wholeCatchUp)
	}
	if f.columns < len(st.columns) {
		r.columns, r.units = st.columns, st.units()
	}
	if !f.subscriber.offer(readings(r)) {
		return false
	}
	f.columns = len(st.columns)
	f.advance(end, time.Now())
	c := &st.hub.counters
	c.readings.Add(int64(len(r.readings)))
	c.conflated.Add(int64(len(list) - len(r.readings)))
	return true
}

// snapshot encodes what the ring holds of a window, or says that it does not
// cover it. The caller holds st.mu.
func (st *streamer) snapshot(window time.Duration, points int) ([]byte, bool) {
	now := time.Now()
	if s := &st.shot; s.frame != nil && now.Sub(s.at) < time.Second &&
		s.window == window && s.points == points && s.columns == len(st.columns) && s.end == st.ring.end {
		return s.frame, true
	}
	from := now.Add(-window).UnixMilli()
	if st.ring.since > from {
		return nil, false
	}
	frame := st.encodeSnapshot(flatten(st.ring.entries), st.ring.end, from, points)
	st.shot = shot{window, points, len(st.columns), st.ring.end, now, frame}
	return frame, true
}

// encodeSnapshot takes the readings of a window, and if there is none the newest
// one, since a viewer wants the value however old it is.
func (st *streamer) encodeSnapshot(list []reading.Reading, end reading.Cursor, from int64, points int) []byte {
	inside := make([]reading.Reading, 0, len(list))
	for _, r := range list {
		if r.Time >= from {
			inside = append(inside, r)
		}
	}
	if len(inside) == 0 && len(list) > 0 {
		inside = append(inside, list[len(list)-1])
	}
	slices.SortStableFunc(inside, func(a, b reading.Reading) int { return int(a.Time - b.Time) })
	return snapshot(rows{
		topic: st.topic, columns: st.columns, units: st.units(), order: st.columns,
		interval: reading.Interval(inside), readings: conflate(inside, st.columns, points), id: end, of: len(inside),
	})
}

// recent reads a window from the store once for all who ask at the same time.
func (st *streamer) recent(window time.Duration) (reading.History, error) {
	from := time.Now().Add(-window).UnixMilli()
	h, err, _ := st.reads.Do(window.String(), func() (any, error) {
		return st.hub.o.Recent(st.ctx, st.topic, from, maxHistory)
	})
	if err != nil {
		return reading.History{}, err
	}
	return h.(reading.History), nil
}

// maxHistory is the most entries one snapshot reads: the default of the store's count fuse.
const maxHistory = 10_000

// trouble tells all flows once that the store does not answer.
func (st *streamer) trouble(err error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if !st.stale.IsZero() || st.ctx.Err() != nil {
		return
	}
	st.stale = time.Now()
	st.hub.o.Logger.Warn("the store does not answer a streamer", "topic", st.topic, "err", err)
	frame := stale(st.topic, st.stale)
	for f := range st.flows {
		f.subscriber.push(frame)
	}
}

// answersAgain tells all flows that the store answers and has nothing new: an
// empty message confirms where they are.
func (st *streamer) answersAgain() {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.stale.IsZero() {
		return
	}
	st.stale = time.Time{}
	for f := range st.flows {
		if f.state == live {
			f.subscriber.push(readings(rows{topic: st.topic, id: f.last, prev: f.last}))
		}
	}
}

// learn adds the columns that entries bring, in the order of the newest reading.
func (st *streamer) learn(entries []reading.Entry) (grew bool) {
	for i := len(entries) - 1; i >= 0; i-- {
		for _, r := range slices.Backward(entries[i].Readings) {
			for at, v := range r.Values {
				if at < len(st.columns) && st.columns[at] == v.Name || slices.Contains(st.columns, v.Name) {
					continue
				}
				if len(st.columns) >= maxColumns {
					return grew
				}
				// A name read from Redis may be part of a large reply; keep only the name.
				st.columns = append(st.columns, strings.Clone(v.Name))
				grew = true
			}
		}
	}
	return grew
}

// units returns the units beside columns.
func (st *streamer) units() []string {
	known := st.hub.o.Units(st.topic)
	units := make([]string, len(st.columns))
	for i, name := range st.columns {
		units[i] = known[name]
	}
	return units
}

// retry calls f until it succeeds or the context ends, with growing, jittered pauses.
func retry[T any](ctx context.Context, f func() (T, error)) (T, error) {
	pause := 100 * time.Millisecond
	for {
		value, err := f()
		if err == nil || ctx.Err() != nil {
			return value, err
		}
		timer := time.NewTimer(pause/2 + rand.N(pause))
		select {
		case <-ctx.Done():
			timer.Stop()
			return value, ctx.Err()
		case <-timer.C:
		}
		pause = min(2*pause, 2*time.Second)
	}
}
