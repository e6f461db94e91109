package hub

import (
	"math"
	"slices"

	"readout/server/reading"
)

// ring holds the newest entries of one topic without a hole: everything of the
// stream after start and up to end. It is bounded by readings, not by entries,
// since a packed entry holds up to 256 of them. While somebody wants rates, they
// are made once, as entries come, and lie beside them.
type ring struct {
	entries []reading.Entry
	rated   []reading.Entry   // beside entries, as rates; only with meter
	meter   *meter            // where the counters are at end; nil while rates are not wanted or nothing is a counter
	dropped []reading.Reading // of the entry at start, if the ring held it
	start   reading.Cursor    // just before entries[0]
	end     reading.Cursor
	since   int64 // the ring holds every kept reading of this time (ms) or later
	count   int   // readings in entries
	most    int   // readings to keep
}

// load fills an empty ring with the newest entries of the stream; complete says
// that the stream holds no older ones.
func (r *ring) load(h reading.History, complete bool) {
	r.start, r.end = h.End, h.End
	if len(h.Entries) > 0 {
		r.start = before(h.Entries[0].Cursor)
		if !complete {
			r.since = int64(h.Entries[0].Cursor.ID.Ms) // what came earlier is older than that, by the store's clock
		}
	}
	for _, e := range h.Entries {
		r.add(e)
	}
	r.end = h.End
}

// before is the latest cursor that lies before c's entry: no entry can be between them.
func before(c reading.Cursor) reading.Cursor {
	switch {
	case c.ID.Seq > 0:
		c.ID.Seq--
	case c.ID.Ms > 0:
		c.ID.Ms, c.ID.Seq = c.ID.Ms-1, math.MaxUint64
	}
	if c.Ordinal > 0 {
		c.Ordinal--
	}
	return c
}

// rate makes the ring hold rates of these counters too, from now on; none ends
// that. anew says that columns which the ring holds became counters or ceased to be.
func (r *ring) rate(counters []counter, anew bool) {
	switch {
	case len(counters) == 0:
		r.rated, r.meter = nil, nil
	case r.meter != nil && !anew:
		r.meter.count(counters)
	default:
		r.meter = &meter{}
		r.meter.count(counters)
		r.meter.read(r.dropped)
		r.rated = make([]reading.Entry, 0, len(r.entries))
		for _, e := range r.entries {
			r.rated = append(r.rated, reading.Entry{Cursor: e.Cursor, Readings: r.meter.rates(e.Readings)})
		}
	}
}

// add takes an entry over and returns it as rates, if those are wanted.
func (r *ring) add(e reading.Entry) (rated reading.Entry) {
	if r.meter != nil {
		rated = reading.Entry{Cursor: e.Cursor, Readings: r.meter.rates(e.Readings)}
		r.rated = append(r.rated, rated)
	}
	r.entries = append(r.entries, e)
	r.count += len(e.Readings)
	r.end = e.Cursor
	drop := 0
	for r.count > r.most && drop < len(r.entries)-1 {
		r.count -= len(r.entries[drop].Readings)
		r.start = r.entries[drop].Cursor
		for _, gone := range r.entries[drop].Readings {
			r.since = max(r.since, gone.Time+1)
		}
		drop++
	}
	if drop == 0 {
		return rated
	}
	r.dropped = r.entries[drop-1].Readings
	clear(r.entries[:drop]) // the array lives on until append moves it; its dropped readings need not
	r.entries = r.entries[drop:]
	if r.meter != nil {
		clear(r.rated[:drop])
		r.rated = r.rated[drop:]
	}
	return rated
}

// after returns the entries that follow c, as they were stored or as rates, and
// whether the ring knows that nothing lies between c and the first of them.
func (r *ring) after(c reading.Cursor, v variant) ([]reading.Entry, bool) {
	entries := r.as(v)
	if c.Epoch != "" && c.Epoch != r.end.Epoch || c.ID.Compare(r.end.ID) > 0 || c.ID.Compare(r.start.ID) < 0 {
		return nil, false
	}
	if c.ID == r.start.ID {
		return entries, !miscounted(c, r.start)
	}
	at, found := slices.BinarySearchFunc(r.entries, c.ID, func(e reading.Entry, id reading.StreamID) int { return e.Cursor.ID.Compare(id) })
	if !found || miscounted(c, r.entries[at].Cursor) {
		return nil, false // an ID that never was, or of another history; the store decides what that means
	}
	return entries[at+1:], true
}

// miscounted says that a cursor claims more entries than there were up to its place
// in the stream: somebody deleted the stream by hand, and it came back.
func miscounted(c, place reading.Cursor) bool {
	return place.Ordinal != reading.Unknown && c.Ordinal > place.Ordinal
}

// as returns all entries in a variant.
func (r *ring) as(v variant) []reading.Entry {
	if v == asRates {
		return r.rated
	}
	return r.entries
}

// flatten returns the readings of entries in stream order.
func flatten(entries []reading.Entry) []reading.Reading {
	if len(entries) == 1 {
		return entries[0].Readings
	}
	n := 0
	for i := range entries {
		n += len(entries[i].Readings)
	}
	list := make([]reading.Reading, 0, n)
	for i := range entries {
		list = append(list, entries[i].Readings...)
	}
	return list
}
