package hub_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"readout/server/hub"
	"readout/server/reading"
)

// source is a stream that a test writes: what it sends is tailed.
type source struct {
	columns atomic.Pointer[[]reading.Column]
	batches chan []reading.Entry
	last    reading.Cursor
	count   float64

	mu    sync.Mutex
	all   []reading.Entry
	epoch string
}

// bubble is where the clock of a test begins: 2000-01-01.
const bubble = 946684800000

func newSource(columns ...reading.Column) *source {
	s := &source{batches: make(chan []reading.Entry), epoch: "e"}
	s.columns.Store(&columns)
	return s
}

func (s *source) options() hub.Options {
	o := quiet()
	o.Resume = s.resume
	o.Columns = func(reading.Topic) []reading.Column { return *s.columns.Load() }
	o.Tail = func(ctx context.Context, _ reading.Topic, _ reading.Cursor) iter.Seq2[[]reading.Entry, error] {
		return func(yield func([]reading.Entry, error) bool) {
			for {
				select {
				case batch := <-s.batches:
					if !yield(batch, nil) {
						return
					}
				case <-ctx.Done():
					return
				}
			}
		}
	}
	return o
}

// entry is one more reading: the counter bytes grows by 100 a second.
func (s *source) entry() reading.Entry {
	s.count++
	ms := bubble + int64(s.count)*1000
	s.last = reading.Cursor{ID: reading.StreamID{Ms: uint64(ms)}, Ordinal: int64(s.count), Epoch: s.epoch}
	return reading.Entry{Cursor: s.last, Readings: []reading.Reading{at(ms, "bytes", 100*s.count, "level", s.count)}}
}

func (s *source) send(n int) {
	for range n {
		e := s.entry()
		s.mu.Lock()
		s.all = append(s.all, e)
		s.mu.Unlock()
		s.batches <- []reading.Entry{e}
	}
	synctest.Wait()
}

// empty deletes the stream; what is sent next is its next life.
func (s *source) empty() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all, s.epoch = nil, s.epoch+"e"
}

func (s *source) resume(_ context.Context, _ reading.Topic, after reading.Cursor, limit int) (reading.Resumed, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := reading.Resumed{From: after, End: after}
	if after.Epoch != "" && after.Epoch != s.epoch {
		return reading.Resumed{Verdict: reading.Reset}, nil
	}
	if len(s.all) > 0 && s.all[0].Cursor.ID.Compare(after.ID) > 0 && s.all[0].Cursor.Ordinal > after.Ordinal+1 {
		r.Verdict, r.Lost = reading.Gap, s.all[0].Cursor.Ordinal-1-after.Ordinal
	}
	for i, e := range s.all {
		switch {
		case e.Cursor.ID == after.ID:
			r.Before = e.Readings
		case e.Cursor.ID.Compare(after.ID) > 0 && len(r.Entries) < limit:
			r.Entries = append(r.Entries, s.all[i])
			r.End = e.Cursor
		case e.Cursor.ID.Compare(after.ID) > 0:
			r.More = true
		}
	}
	return r, nil
}

// brief prints rows with seconds since the test began as their time.
func brief(rows [][]any) string {
	for _, row := range rows {
		row[0] = (row[0].(float64) - bubble) / 1000
	}
	return fmt.Sprint(rows)
}

var (
	bytesCounter = reading.Column{Name: "bytes", Unit: "bytes", Kind: reading.Counter}
	levelGauge   = reading.Column{Name: "level", Unit: "percent", Kind: reading.Gauge}
)

type frame struct {
	Type, Topic, Code  string
	ID                 any
	Columns, Units     []string
	Rows               [][]any
	Slug, Version, Why string
	Lost               int64
}

func framesOf(t *testing.T, s *hub.Subscriber) (list []frame) {
	t.Helper()
	for _, text := range framesIn(s, time.Millisecond) {
		var f frame
		if err := json.Unmarshal([]byte(text), &f); err != nil {
			t.Fatal(err)
		}
		list = append(list, f)
	}
	return list
}

func TestEachViewerGetsItsVariant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newSource(bytesCounter, levelGauge)
		h := hub.New(src.options())
		defer h.Close()
		plain, rated := h.Join(anyone), h.Join(anyone)
		defer plain.Leave()
		defer rated.Leave()
		plain.Subscribe(hub.Subscription{ID: 1, Topics: []string{"net"}})
		framesOf(t, plain)
		src.send(2)
		rated.Subscribe(hub.Subscription{ID: 1, Topics: []string{"net"}, Rates: true})
		synctest.Wait()
		src.send(1)
		got := framesOf(t, plain)
		if last := brief(got[len(got)-1].Rows); last != "[[3 300 3]]" {
			t.Errorf("as stored: %s", last)
		}
		got = framesOf(t, rated)
		if len(got) != 2 || fmt.Sprint(got[0].Units) != "[ms bytes/s percent]" || brief(got[0].Rows) != "[[1 <nil> 1] [2 100 2]]" || brief(got[1].Rows) != "[[3 100 3]]" {
			t.Errorf("as rates: %+v", got)
		}
	})
}

func TestASubscriptionThatDisagreesIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newSource(bytesCounter)
		h := hub.New(src.options())
		defer h.Close()
		s := h.Join(anyone)
		defer s.Leave()
		s.Subscribe(hub.Subscription{ID: 1, Topics: []string{"net"}, Rates: true})
		framesOf(t, s)
		s.Subscribe(hub.Subscription{ID: 2, Topics: []string{"net"}})
		if got := framesOf(t, s); len(got) != 1 || got[0].Code != "bad_request" || got[0].Topic != "net" || got[0].ID != 2. {
			t.Errorf("got %+v", got)
		}
		s.Unsubscribe(1)
		s.Subscribe(hub.Subscription{ID: 2, Topics: []string{"net"}})
		if got := framesOf(t, s); len(got) != 1 || got[0].Type != "snapshot" {
			t.Errorf("after the other has ended: %+v", got)
		}
	})
}

// What was a level and is described as a counter later is another thing to those
// who see rates, and has another unit to all.
func TestAColumnBecomesACounter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newSource()
		h := hub.New(src.options())
		defer h.Close()
		plain, rated := h.Join(anyone), h.Join(anyone)
		defer plain.Leave()
		defer rated.Leave()
		plain.Subscribe(hub.Subscription{ID: 1, Topics: []string{"net"}})
		rated.Subscribe(hub.Subscription{ID: 1, Topics: []string{"net"}, Rates: true})
		synctest.Wait()
		src.send(2)
		framesOf(t, plain)
		if got := framesOf(t, rated); brief(got[len(got)-1].Rows) != "[[2 200 2]]" {
			t.Errorf("before: %+v", got)
		}
		src.columns.Store(&[]reading.Column{bytesCounter, levelGauge})
		h.TopicDescribed("net")
		synctest.Wait()
		src.send(1)
		got := framesOf(t, rated)
		if len(got) != 3 || got[0].Type != "reset" || got[1].Type != "snapshot" || brief(got[1].Rows) != "[[1 <nil> 1] [2 100 2]]" || brief(got[2].Rows) != "[[3 100 3]]" {
			t.Errorf("as rates: %+v", got)
		}
		got = framesOf(t, plain)
		if len(got) != 1 || fmt.Sprint(got[0].Units) != "[ms bytes percent]" || brief(got[0].Rows) != "[[3 300 3]]" {
			t.Errorf("as stored: %+v", got)
		}
	})
}

// However many viewers ask for the same, a batch is encoded once for them: they
// all get the same bytes.
func TestOneEncodingForEachVariant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newSource(bytesCounter, levelGauge)
		h := hub.New(src.options())
		defer h.Close()
		subscribers := make([]*hub.Subscriber, 6)
		for i := range subscribers {
			s := h.Join(anyone)
			defer s.Leave()
			s.Subscribe(hub.Subscription{ID: 1, Topics: []string{"net"}, Rates: i >= 3})
			subscribers[i] = s
		}
		src.send(1)
		for _, s := range subscribers {
			framesOf(t, s)
		}
		src.send(1)
		var places []*byte
		for _, s := range subscribers {
			frames, err := s.Next(t.Context())
			if err != nil || len(frames) != 1 {
				t.Fatal(len(frames), err)
			}
			places = append(places, &frames[0][0])
		}
		slices.SortFunc(places, func(a, b *byte) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
		if n := len(slices.Compact(places)); n != 2 {
			t.Errorf("%d encodings for two variants", n)
		}
	})
}

func TestADeletedTopicBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newSource(bytesCounter)
		o := src.options()
		var kept atomic.Pointer[reading.History]
		kept.Store(&reading.History{})
		o.Recent = func(context.Context, reading.Topic, int64, int) (reading.History, error) { return *kept.Load(), nil }
		h := hub.New(o)
		defer h.Close()
		s := h.Join(anyone)
		defer s.Leave()
		s.Subscribe(hub.Subscription{ID: 1, Topics: []string{"net"}, Rates: true})
		src.send(2)
		framesOf(t, s)
		src.empty()
		h.TopicDeleted("net")
		time.Sleep(time.Second / 2)
		if got := framesOf(t, s); len(got) != 2 || got[0].Type != "reset" || got[1].Type != "snapshot" || len(got[1].Rows) != 0 || got[1].ID != "0-0" {
			t.Errorf("after the end: %+v", got)
		}
		h.TopicDeleted("net") // the catalog may be slower than the check
		time.Sleep(time.Minute)
		if got := framesOf(t, s); len(got) != 0 {
			t.Errorf("a topic that is gone was reset again: %+v", got)
		}
		src.send(2)
		if got := framesOf(t, s); len(got) != 2 || brief(got[0].Rows) != "[[3 <nil> 3]]" || brief(got[1].Rows) != "[[4 100 4]]" {
			t.Errorf("its next life: %+v", got)
		}
	})
}

func TestChangesOfDashboardsAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := quiet()
		o.Dashboard = func(slug string) string { return map[string]string{"shop": "v1"}[slug] }
		h := hub.New(o)
		defer h.Close()
		s, other := h.Join(anyone), h.Join(anyone)
		defer s.Leave()
		defer other.Leave()
		s.Subscribe(hub.Subscription{ID: 1, Dashboard: "shop"})
		other.Subscribe(hub.Subscription{ID: 1, Dashboard: "new"})
		if got := framesOf(t, s); len(got) != 1 || got[0].Type != "dashboard" || got[0].Slug != "shop" || got[0].Version != "v1" {
			t.Errorf("on subscribing: %+v", got)
		}
		for i := range 10_000 { // what nobody reads does not pile up
			h.DashboardChanged("shop", fmt.Sprint("v", i))
		}
		if got := framesOf(t, s); len(got) != 1 || got[0].Version != "v9999" {
			t.Errorf("on change: %d frames, %+v", len(got), got[:min(2, len(got))])
		}
		if got := framesOf(t, other); len(got) != 0 {
			t.Errorf("one who follows another got %+v", got)
		}
		s.Unsubscribe(1)
		h.DashboardChanged("shop", "v3")
		if got := framesOf(t, s); len(got) != 0 {
			t.Errorf("after unsubscribing: %+v", got)
		}
	})
}

// A tab that is hidden pauses: it costs next to nothing and catches up.
func TestAPausedSubscriberGetsNoReadings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newSource(bytesCounter, levelGauge)
		h := hub.New(src.options())
		defer h.Close()
		shown, hidden := h.Join(anyone), h.Join(anyone)
		defer shown.Leave()
		defer hidden.Leave()
		for _, s := range []*hub.Subscriber{shown, hidden} {
			s.Subscribe(hub.Subscription{ID: 1, Topics: []string{"net"}, Rates: true})
			framesOf(t, s)
		}
		hidden.Pause()
		size := func(s *hub.Subscriber) (n int) {
			for _, f := range framesIn(s, time.Millisecond) {
				n += len(f)
			}
			return n
		}
		all := 0
		for range 2000 { // more than the ring holds
			src.send(1)
			all += size(shown)
			if n := size(hidden); n != 0 {
				t.Fatalf("a paused subscriber got %d bytes", n)
			}
		}
		hidden.Resume()
		got := framesIn(hidden, time.Millisecond)
		if len(got) != 1 || !strings.Contains(got[0], `"of":2000}`) || !strings.Contains(got[0], fmt.Sprintf(`"id":"%v"`, src.last)) {
			t.Fatalf("after coming back: %d frames, %.200s", len(got), got)
		}
		if caught := len(got[0]); caught*100 > all*5 {
			t.Errorf("%d bytes instead of %d", caught, all)
		}
	})
}

// A stream that is trimmed faster than it is read: the tail brings what is left,
// and what is missing is told.
func TestATailThatIsOvertaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newSource(bytesCounter)
		o := src.options()
		o.Doubt = 3
		o.Recent = func(context.Context, reading.Topic, int64, int) (reading.History, error) {
			src.mu.Lock()
			defer src.mu.Unlock()
			return reading.History{Entries: slices.Clone(src.all), End: src.last}, nil
		}
		h := hub.New(o)
		defer h.Close()
		s := h.Join(anyone)
		defer s.Leave()
		s.Subscribe(hub.Subscription{ID: 1, Topics: []string{"net"}, Rates: true})
		framesOf(t, s)
		src.send(2)
		src.batch(5) // nothing is missing
		if got := framesOf(t, s); len(got) != 3 || len(got[2].Rows) != 5 {
			t.Fatalf("before: %+v", got)
		}
		src.mu.Lock()
		for range 4 { // nobody reads these
			src.entry()
		}
		src.all = nil
		src.mu.Unlock()
		src.batch(5)
		got := framesOf(t, s)
		if len(got) != 2 || got[0].Type != "gap" || got[0].Lost != 4 || len(got[1].Rows) != 5 || got[1].Rows[0][1] != nil || got[1].Rows[1][1] != 100. {
			t.Errorf("after: %+v", got)
		}
		src.send(1)
		if got := framesOf(t, s); len(got) != 1 || brief(got[0].Rows) != "[[17 100 17]]" {
			t.Errorf("and on: %+v", got)
		}
	})
}

// batch is n entries that are read together.
func (s *source) batch(n int) {
	s.mu.Lock()
	var batch []reading.Entry
	for range n {
		batch = append(batch, s.entry())
	}
	s.all = append(s.all, batch...)
	s.mu.Unlock()
	s.batches <- batch
	synctest.Wait()
}

// What a batch costs a topic without counters is the same whether its viewers
// ask for rates or not.
func BenchmarkPublish(b *testing.B) {
	for name, c := range map[string]struct {
		column reading.Column
		rates  bool
	}{
		"gauge": {levelGauge, false}, "gauge, rates": {levelGauge, true}, "counter": {bytesCounter, false}, "counter, rates": {bytesCounter, true},
	} {
		b.Run(name, func(b *testing.B) {
			src := newSource(c.column)
			h := hub.New(src.options())
			defer h.Close()
			s := h.Join(anyone)
			defer s.Leave()
			s.Subscribe(hub.Subscription{ID: 1, Topics: []string{"net"}, Rates: c.rates})
			next := func() {
				if _, err := s.Next(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			next() // the snapshot
			b.ReportAllocs()
			for b.Loop() {
				src.batches <- []reading.Entry{src.entry()}
				next()
			}
		})
	}
}
