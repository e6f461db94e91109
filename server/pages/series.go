package pages

import (
	"cmp"
	"context"
	"slices"
	"time"

	"readout/server/hub"
	"readout/server/reading"
	"readout/views"
)

// Bounds of what a page reads of one topic.
const (
	newestEntries = 8    // enough to know the newest values, their rates and the rhythm
	lateEntries   = 10   // beyond one a second of the window: some topics are a little quicker
	courseEntries = 1500 // newest entries that are read of every topic of a board
	deepTopics    = 8    // topics of a board that are read further back, because they send more often
	boardRows     = 400  // rows of a topic in a page
	leastRows     = 80
	pageRows      = 6000 // rows of all topics in a page
	usualColumns  = 64   // columns of a topic that has as many rows as there is room for; a wider one has fewer

	// mostColumns are those of one topic that are shown, as many as the catalog
	// keeps: each reading may bring 256 names that no other has.
	mostColumns = 4 * reading.MaxValues
)

// rowsOf is how many rows each of n topics of a page may have.
func rowsOf(n int) int {
	return min(boardRows, max(leastRows, pageRows/max(n, 1)))
}

// deepen reads further back where the newest n entries do not reach the
// beginning of the window.
func (p *Pages) deepen(ctx context.Context, topics []reading.Topic, histories []reading.History, n int, span time.Duration) error {
	from := time.Now().Add(-span).UnixMilli()
	left := deepTopics
	for i := range histories {
		entries := histories[i].Entries
		if len(entries) < n || left == 0 || len(entries[0].Readings) > 0 && entries[0].Readings[0].Time <= from {
			continue
		}
		left--
		h, err := p.o.API.Range(ctx, topics[i], from, 0, rangeEntries)
		if err != nil {
			return err
		}
		if len(h.Entries) > len(entries) {
			histories[i] = h
		}
	}
	return nil
}

// course reads one topic over a window. Its cursor knows the history that it is
// a place of, so that a viewer is told of whatever is lost from here on.
func (p *Pages) course(ctx context.Context, topic reading.Topic, span time.Duration) (views.Series, error) {
	n := entriesFor(span)
	h, err := p.o.Recent(ctx, topic, n)
	if err != nil {
		return views.Series{}, err
	}
	histories := []reading.History{h}
	if err := p.deepen(ctx, []reading.Topic{topic}, histories, n, span); err != nil {
		return views.Series{}, err
	}
	return p.within(topic, histories[0], rowsOf(1), span), nil
}

// entriesFor is how many of the newest entries of a topic are read for a window.
func entriesFor(span time.Duration) int {
	return min(max(int(span.Seconds())+lateEntries, sparkEntries), courseEntries)
}

// one builds the series of one topic from the end of its stream.
func (p *Pages) one(topic reading.Topic, h reading.History, most int) views.Series {
	return p.series(topic, h, true, most, newest)
}

// newest keeps the last readings.
func newest(list []reading.Reading, _ []string, most int) []reading.Reading {
	return list[max(0, len(list)-most):]
}

// stored builds the series of one topic as it was sent: counters are counts.
func (p *Pages) stored(topic reading.Topic, h reading.History, most int) views.Series {
	return p.series(topic, h, false, most, newest)
}

// within builds the series of one topic over a window: counters as rates, thinned
// to so many rows that no peak is lost. The last reading before the window stays,
// because a state lasts and a value that stopped is shown with its time.
func (p *Pages) within(topic reading.Topic, h reading.History, most int, span time.Duration) views.Series {
	from := time.Now().Add(-span).UnixMilli()
	return p.series(topic, h, true, most, func(list []reading.Reading, columns []string, most int) []reading.Reading {
		begin, _ := slices.BinarySearchFunc(list, from, func(r reading.Reading, from int64) int {
			if r.Time < from {
				return -1
			}
			return 1
		})
		before := list[max(0, begin-1):begin]
		if len(columns) == 0 {
			return append(slices.Clone(before), list[begin:]...)
		}
		return append(slices.Clone(before), evenly(hub.Conflate(list[begin:], columns, most), 2*most)...)
	})
}

// evenly leaves out readings until most are left, the last among them: those of so
// many columns that even their peaks are too many.
func evenly(list []reading.Reading, most int) []reading.Reading {
	if len(list) <= most {
		return list
	}
	kept := make([]reading.Reading, most)
	for i := range kept {
		kept[i] = list[(i+1)*len(list)/most-1]
	}
	return kept
}

// series turns entries into at most so many rows, fewer of a very wide topic, and
// counters into rates if rated. keep chooses among the readings, which are in
// order of time then.
func (p *Pages) series(topic reading.Topic, h reading.History, rated bool, most int, keep func(list []reading.Reading, columns []string, most int) []reading.Reading) views.Series {
	s := views.Series{Topic: topic, Columns: p.o.Columns(topic)}
	if h.End.Epoch != "" || len(h.Entries) > 0 {
		s.Cursor = h.End.String()
	}
	n := 0
	for _, e := range h.Entries {
		n += len(e.Readings)
	}
	list := make([]reading.Reading, 0, n)
	for _, e := range h.Entries {
		list = append(list, e.Readings...)
	}
	s.Columns = columnsOf(s.Columns, list)
	at := places(s.Columns)
	if rated { // in the order of the stream, as the live connection makes them
		s.Columns, list = hub.Rates(s.Columns, list)
	}
	// In order of time from here on, which it nearly always is already.
	if byTime := func(a, b reading.Reading) int { return cmp.Compare(a.Time, b.Time) }; !slices.IsSortedFunc(list, byTime) {
		slices.SortStableFunc(list, byTime)
	}
	now := time.Now().UnixMilli()
	s.Interval, s.Rate = reading.Interval(list), rate(list, now)
	names := make([]string, len(s.Columns))
	for i, c := range s.Columns {
		names[i] = c.Name
	}
	list = keep(list, names, min(most, max(1, most*usualColumns/max(1, len(names)))))
	s.Rows = make([]views.Row, len(list))
	values := make([]reading.Value, len(list)*len(s.Columns))
	for i, r := range list {
		row := views.Row{Time: r.Time, Values: values[i*len(s.Columns) : (i+1)*len(s.Columns) : (i+1)*len(s.Columns)]}
		fill(row.Values, at, r)
		s.Rows[i] = row
	}
	return s
}

// rate is how many readings a second the last minute brought.
func rate(list []reading.Reading, now int64) float64 {
	from := now - rateOver.Milliseconds()
	n, oldest := 0, now
	for _, r := range slices.Backward(list) {
		if r.Time < from {
			return float64(n) / rateOver.Seconds()
		}
		n, oldest = n+1, r.Time
	}
	if n < 2 || oldest >= now { // fewer than a minute's: over the time that they cover
		return float64(n) / rateOver.Seconds()
	}
	return float64(n) * 1000 / float64(now-oldest)
}
