package hub

import (
	"testing"

	"readout/server/reading"
)

func entry(ms uint64, ordinal int64, readings ...reading.Reading) reading.Entry {
	return reading.Entry{Cursor: at(ms, ordinal), Readings: readings}
}

func TestRingKnowsWhatItHolds(t *testing.T) {
	r := ring{most: 3}
	r.load(reading.History{Entries: []reading.Entry{entry(10, 7, one(10, 1)), entry(20, 8, one(20, 2))}, End: at(20, 8)}, false)

	for _, c := range []struct {
		name  string
		after reading.Cursor
		count int
		known bool
	}{
		{"just before the first, where nothing can lie", before(at(10, 7)), 2, true},
		{"the first", at(10, 7), 1, true},
		{"the end", at(20, 8), 0, true},
		{"an ID that never was", at(15, 7), 0, false},
		{"what came before", at(5, 6), 0, false},
		{"the future", at(30, 9), 0, false},
		{"a bare ID", reading.Cursor{ID: reading.StreamID{Ms: 10}, Ordinal: reading.Unknown}, 1, true},
		{"another life of the stream", reading.Cursor{ID: reading.StreamID{Ms: 10}, Ordinal: 7, Epoch: "other"}, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			entries, known := r.after(c.after, asStored)
			if known != c.known || len(entries) != c.count {
				t.Errorf("got %d entries, known %t; want %d, %t", len(entries), known, c.count, c.known)
			}
		})
	}
}

func TestRingDropsTheOldest(t *testing.T) {
	r := ring{most: 3}
	r.load(reading.History{End: at(0, 0)}, true)
	if r.since != 0 {
		t.Errorf("an empty stream is known from the beginning, not since %d", r.since)
	}
	for i := range uint64(1000) {
		r.add(entry(10+i, int64(1+i), one(int64(10+i), 1)))
	}
	if len(r.entries) != 3 || r.count != 3 || cap(r.entries) > 64 {
		t.Errorf("%d entries, %d readings, capacity %d", len(r.entries), r.count, cap(r.entries))
	}
	if r.start != at(1006, 997) || r.end != at(1009, 1000) || r.since != 1007 {
		t.Errorf("holds %v to %v, since %d", r.start, r.end, r.since)
	}
	if _, known := r.after(at(1005, 996), asStored); known {
		t.Error("claims to know what follows a dropped entry")
	}
}

func TestConflateKeepsExtremesAndTheLast(t *testing.T) {
	var list []reading.Reading
	for i := range 1000 {
		f := float64(i % 10)
		switch i {
		case 333:
			f = -50
		case 777:
			f = 99
		}
		list = append(list, one(int64(i), f))
	}
	for _, most := range []int{0, 30, 100} {
		kept := Conflate(list, []string{"value"}, most)
		seen := map[int64]bool{}
		for i, r := range kept {
			seen[r.Time] = true
			if i > 0 && kept[i-1].Time >= r.Time {
				t.Fatal("out of order")
			}
		}
		if !seen[333] || !seen[777] || !seen[999] {
			t.Errorf("most %d: a peak or the last reading is gone", most)
		}
		if len(kept) > max(most, 3) {
			t.Errorf("most %d: kept %d", most, len(kept))
		}
	}
	if got := Conflate(list[:3], []string{"value"}, 100); len(got) != 3 {
		t.Errorf("thinned %d of 3 readings that all fit", 3-len(got))
	}
}
