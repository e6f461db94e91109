package hub

import (
	"context"
	"fmt"
	"slices"
	"time"

	"readout/server/reading"
)

// shot is the last snapshot that was encoded, for the next who asks the same.
type shot struct {
	window time.Duration
	points int
	naming int
	end    reading.Cursor
	at     time.Time
	frame  []byte
}

// snapshot encodes what the ring holds of a window, or says that it does not
// cover it. The caller holds st.mu.
func (st *streamer) snapshot(window time.Duration, points int, v variant) ([]byte, bool) {
	now := time.Now()
	s := &st.shots[v]
	if s.frame != nil && now.Sub(s.at) < time.Second &&
		s.window == window && s.points == points && s.naming == st.naming.version && s.end == st.ring.end {
		return s.frame, true
	}
	from := now.Add(-window).UnixMilli()
	if st.ring.since > from {
		return nil, false
	}
	frame := st.encodeSnapshot(flatten(st.ring.as(v)), st.ring.end, from, points, v)
	*s = shot{window, points, st.naming.version, st.ring.end, now, frame}
	return frame, true
}

// encodeSnapshot takes the readings of a window, and if there is none the newest
// one, since a viewer wants the value however old it is.
func (st *streamer) encodeSnapshot(list []reading.Reading, end reading.Cursor, from int64, points int, v variant) []byte {
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
	n := &st.naming
	return snapshot(rows{
		topic: st.topic, columns: n.columns, units: n.units[v], order: n.columns,
		interval: reading.Interval(inside), readings: Conflate(inside, n.columns, points), id: end, of: len(inside),
	})
}

// about says of which loading of the ring a flow is about to read, and how much
// earlier than its window the read begins: the first rate needs the reading before.
func (st *streamer) about(f *flow) (begun int, earlier time.Duration) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.variant(f) == asRates {
		held := st.ring.entries
		usual := time.Duration(reading.Interval(flatten(held[max(0, len(held)-32):]))) * time.Millisecond
		earlier = max(time.Second, 2*usual)
	}
	return st.begun, earlier
}

// recent reads a window from the store once for all who ask at the same time, and
// of the same loading of the ring: an earlier read may show another history.
func (st *streamer) recent(ctx context.Context, begun int, window, earlier time.Duration) (reading.History, error) {
	from := time.Now().Add(-window - earlier).UnixMilli()
	return share(ctx, st, fmt.Sprint(begun, window, earlier), func(ctx context.Context) (reading.History, error) {
		return st.hub.o.Recent(ctx, st.topic, from, maxHistory)
	})
}

// resume reads what follows a cursor once for all who ask at the same time: after
// the streamer has begun again nearly all flows go on from the same place.
func (st *streamer) resume(ctx context.Context, begun int, after reading.Cursor) (reading.Resumed, error) {
	return share(ctx, st, fmt.Sprint(begun, after), func(ctx context.Context) (reading.Resumed, error) {
		return st.hub.o.Resume(ctx, st.topic, after, resumeEntries)
	})
}

// maxHistory is the most entries one snapshot reads: the default of the store's count fuse.
const maxHistory = 10_000
