package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"readout/server/reading"
	"readout/server/store"
)

// Every server that the store may stand on passes the same suite.

func TestEmbeddedConforms(t *testing.T) { t.Parallel(); conform(t, onEmbedded(t)) }
func TestRedisConforms(t *testing.T)    { t.Parallel(); conform(t, onRedis(t)) }
func TestClusterConforms(t *testing.T)  { t.Parallel(); conform(t, onCluster(t)) }

func conform(t *testing.T, b *backend) {
	s := b.open(t)
	for name, test := range map[string]func(*testing.T, *backend, *store.Store){
		"append":     conformAppend,
		"packed":     conformPacked,
		"foreign":    conformForeign,
		"range":      conformRange,
		"latest":     conformLatest,
		"histories":  conformHistories,
		"bounded":    conformBounded,
		"nothing":    conformNothing,
		"tail":       conformTail,
		"tails":      conformTails,
		"wake":       conformWake,
		"continuous": conformContinuous,
		"gap":        conformGap,
		"reset":      conformReset,
		"keyed":      conformKeyed,
		"conflict":   conformConflict,
		"wrongtype":  conformWrongType,
		"catalog":    conformCatalog,
		"describe":   conformDescribe,
		"adopt":      conformAdopt,
		"delete":     conformDelete,
		"hide":       conformHide,
		"poison":     conformPoison,
		"wrongtail":  conformWrongTail,
		"probe":      conformProbe,
		"manyatonce": conformMany,
	} {
		t.Run(name, func(t *testing.T) { test(t, b, s) })
	}
}

func conformAppend(t *testing.T, b *backend, s *store.Store) {
	tp := topic(t)
	want := reading.Reading{Topic: tp, Time: 1763785200123, Values: []reading.Named{
		{Name: "user", Value: reading.NumberOf(0.30000000000000004)},
		{Name: "big", Value: reading.NumberOf(-1.7976931348623157e308)},
		{Name: "up", Value: reading.BoolOf(true)},
		{Name: "off", Value: reading.BoolOf(false)},
		{Name: "state", Value: reading.TextOf("open")},
		{Name: "digits", Value: reading.TextOf("007")},
		{Name: "word", Value: reading.TextOf("true")},
		{Name: "quote", Value: reading.TextOf("'quoted'")},
		{Name: "umlaut", Value: reading.TextOf("grün")},
	}}
	ids := mustAppend(t, s, want)
	h := mustRange(t, s, tp, store.RangeQuery{})
	if got := show(flat(h.Entries)); got != show([]reading.Reading{want}) {
		t.Errorf("stored\n%sread\n%s", show([]reading.Reading{want}), got)
	}
	if h.End.ID != ids[0] || h.Entries[0].Cursor != h.End || h.End.Ordinal != 1 || h.End.Epoch == "" {
		t.Errorf("the only entry is %v at %v, the end at %v", ids[0], h.Entries[0].Cursor, h.End)
	}
	raw := b.raw.XRange(t.Context(), store.Key(tp), "-", "+").Val()
	if raw[0].Values["digits"] != "'007" || raw[0].Values["t"] != "1763785200123" || raw[0].Values["user"] != "0.30000000000000004" {
		t.Errorf("in the stream stands %v", raw[0].Values)
	}
}

func conformPacked(t *testing.T, b *backend, s *store.Store) {
	one, two, many := topic(t, "one"), topic(t, "two"), topic(t, "many")
	var all []reading.Reading
	all = append(all, number(two, 1000, 1), number(one, 1001, 2), number(two, 1002, 1.5))
	for i := range 1000 {
		all = append(all, number(many, 5000+int64(i), float64(i)/8))
	}
	ids := mustAppend(t, s, all...)
	if ids[0] != ids[2] || ids[0] == (reading.StreamID{}) || ids[1] == (reading.StreamID{}) {
		t.Errorf("two readings of a topic in one append: entries %v and %v", ids[0], ids[2])
	}
	for _, tp := range []reading.Topic{one, two, many} {
		want := slices.DeleteFunc(slices.Clone(all), func(r reading.Reading) bool { return r.Topic != tp })
		h := mustRange(t, s, tp, store.RangeQuery{})
		if got := show(flat(h.Entries)); got != show(want) {
			t.Errorf("stored\n%.500sread\n%.500s", show(want), got)
		}
		for i, e := range h.Entries {
			if e.Cursor.Ordinal != int64(i+1) {
				t.Errorf("entry %d of %s has the ordinal %d", i, tp, e.Cursor.Ordinal)
			}
		}
	}
	if n := b.raw.XLen(t.Context(), store.Key(many)).Val(); n != 4 {
		t.Errorf("1,000 small readings took %d entries, want 4 of at most 256", n)
	}
}

func conformForeign(t *testing.T, b *backend, s *store.Store) {
	tp := topic(t)
	before := s.Stats().BadEntries
	id := b.xadd(t, tp, "value", "42")
	b.xadd(t, tp, "t", "1763785200123", "a", "1e3", "b", "true", "c", "'17", "d", "plain text")
	for _, bad := range [][]any{
		{"bad name", "1"}, {"value", "\xff"}, {"value", ""}, {"value", strings.Repeat("x", 200)}, {"t", "soon", "value", "1"},
		{"t", "1763785200123"}, {"p", "\x01"}, {"p", "not packed"}, {"p", "\x01\x01\x01", "value", "1"}, {"value", "1", "value", "2"},
	} {
		b.xadd(t, tp, bad...)
	}
	last := b.xadd(t, tp, "value", "43")
	h := mustRange(t, s, tp, store.RangeQuery{})
	want := fmt.Sprintf("%[1]s@%[2]d value=42\n%[1]s@1763785200123 a=1000 b=true c=\"17\" d=\"plain text\"\n%[1]s@%[3]d value=43\n", tp, id.Ms, last.Ms)
	if got := show(flat(h.Entries)); got != want {
		t.Errorf("read\n%swant\n%s", got, want)
	}
	if n := s.Stats().BadEntries - before; n != 10 {
		t.Errorf("%d bad entries counted, want 10", n)
	}
	if got := h.Entries[2].Cursor.Ordinal; got != 13 {
		t.Errorf("the last entry has ordinal %d, want 13: bad ones count too", got)
	}
	eventually(t, "the topic is adopted", func() bool { info, ok := s.Info(tp); return ok && info.Foreign && len(info.Columns) == 5 })
	mustAppend(t, s, number(tp, 1000, 1))
	if info, _ := s.Info(tp); info.Foreign {
		t.Error("a topic that Readout was pushed to is still foreign")
	}
}

func conformRange(t *testing.T, b *backend, s *store.Store) {
	tp := topic(t)
	now := time.Now().UnixMilli()
	var times []int64
	for i := range 60 {
		times = append(times, now-60_000+int64(i)*1000)
	}
	times = append(times, now-90_000, now+60_000) // one late, one ahead
	for _, ms := range times {
		mustAppend(t, s, number(tp, ms, float64(ms-now)))
	}
	mustAppend(t, s, number(tp, now-50_000, 1), number(tp, now+1, 2), number(tp, now-49_000, 3)) // packed
	for _, c := range []struct {
		name string
		q    store.RangeQuery
		want int
	}{
		{"all", store.RangeQuery{}, 65},
		{"newest", store.RangeQuery{Limit: 2}, 4},
		{"from", store.RangeQuery{From: now - 10_000}, 12},
		{"to", store.RangeQuery{To: now - 60_000}, 2},
		{"window", store.RangeQuery{From: now - 50_000, To: now - 49_000}, 4},
		{"newest of a window", store.RangeQuery{From: now - 60_000, To: now - 51_000, Limit: 3}, 3},
		{"nothing", store.RangeQuery{From: now + 100_000}, 0},
	} {
		h := mustRange(t, s, tp, c.q)
		if got := len(flat(h.Entries)); got != c.want {
			t.Errorf("%s: %d readings, want %d:\n%s", c.name, got, c.want, show(flat(h.Entries)))
		}
		for i, e := range h.Entries {
			if i > 0 && h.Entries[i-1].Cursor.ID.Compare(e.Cursor.ID) >= 0 {
				t.Errorf("%s: out of stream order at %d", c.name, i)
			}
			if e.Cursor.Ordinal > h.End.Ordinal || e.Cursor.Epoch != h.End.Epoch {
				t.Errorf("%s: an entry at %v, the end at %v", c.name, e.Cursor, h.End)
			}
		}
		if h.End.Ordinal != 63 {
			t.Errorf("%s: the end has ordinal %d, want 63", c.name, h.End.Ordinal)
		}
	}
}

func conformLatest(t *testing.T, b *backend, s *store.Store) {
	var topics []reading.Topic
	for i := range 20 {
		tp := topic(t, fmt.Sprint(i))
		topics = append(topics, tp)
		for k := range i {
			mustAppend(t, s, number(tp, 1000+int64(k), float64(k)))
		}
	}
	latest, err := s.Latest(t.Context(), topics, 3)
	if err != nil {
		t.Fatal(err)
	}
	for i, entries := range latest {
		var want []reading.Reading
		for k := max(0, i-3); k < i; k++ {
			want = append(want, number(topics[i], 1000+int64(k), float64(k)))
		}
		if got := show(flat(entries)); got != show(want) {
			t.Errorf("%s:\n%swant\n%s", topics[i], got, show(want))
		}
	}
	if none, err := s.Latest(t.Context(), nil, 3); err != nil || len(none) != 0 {
		t.Errorf("of no topics: %v, %v", none, err)
	}
}

// Whoever goes on after the end of a history is told of everything that is lost.
func conformHistories(t *testing.T, b *backend, s *store.Store) {
	names := []string{"many", "one", "bad", "emptied", "missing", "other", "foreign"}
	topics := map[string]reading.Topic{}
	var all []reading.Topic
	for _, name := range names {
		topics[name] = topic(t, name)
		all = append(all, topics[name])
	}
	for k := range 5 {
		mustAppend(t, s, number(topics["many"], 1000+int64(k), float64(k)))
	}
	for _, name := range []string{"one", "bad", "emptied"} {
		mustAppend(t, s, number(topics[name], 1000, 1))
	}
	b.raw.XAdd(t.Context(), &redis.XAddArgs{Stream: store.Key(topics["bad"]), Values: []string{"a b", "no reading"}})
	b.raw.XTrimMaxLen(t.Context(), store.Key(topics["emptied"]), 0)
	b.raw.Set(t.Context(), store.Key(topics["other"]), "no stream", 0)
	b.raw.XAdd(t.Context(), &redis.XAddArgs{Stream: store.Key(topics["foreign"]), Values: []string{"value", "1"}})

	histories, err := s.Histories(t.Context(), all, 3)
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range names {
		want := reading.History{}
		switch name {
		case "other":
		case "foreign": // nobody has watched it: it has no epoch before the range below gives it one
			want = mustRange(t, s, topics[name], store.RangeQuery{Limit: 3})
			want.End = reading.Cursor{ID: want.End.ID, Ordinal: want.End.Ordinal}
		default:
			want = mustRange(t, s, topics[name], store.RangeQuery{Limit: 3})
		}
		got := histories[i]
		if got.End != want.End || show(flat(got.Entries)) != show(flat(want.Entries)) {
			t.Errorf("%s ends at %v:\n%swant %v:\n%s", name, got.End, show(flat(got.Entries)), want.End, show(flat(want.Entries)))
		}
	}
	for k := range 4 {
		mustAppend(t, s, number(topics["many"], 2000+int64(k), float64(k)))
	}
	b.raw.XTrimMaxLen(t.Context(), store.Key(topics["many"]), 1)
	if r := mustResume(t, s, topics["many"], histories[0].End, 10); r.Verdict != reading.Gap || r.Lost != 3 {
		t.Errorf("after three that were trimmed: %v", r)
	}
}

// A stream of packed entries holds far more than its number of entries says.
func conformBounded(t *testing.T, b *backend, s *store.Store) {
	const width, most = 256, 500_000
	tp := topic(t)
	now := time.Now().UnixMilli()
	const packs, pack = 2010 / 30, 30
	for i := range packs {
		var list []reading.Reading
		for k := range pack {
			r := reading.Reading{Topic: tp, Time: now - packs*pack + int64(i*pack+k)}
			for c := range width {
				r.Values = append(r.Values, reading.Named{Name: fmt.Sprintf("c%d", c), Value: reading.BoolOf(true)})
			}
			list = append(list, r)
		}
		mustAppend(t, s, list...)
	}
	values := func(entries []reading.Entry) int { return len(flat(entries)) * width }
	h := mustRange(t, s, tp, store.RangeQuery{})
	if n := values(h.Entries); n < most || n >= most+pack*width || !h.Cut {
		t.Errorf("a range holds %d values in %d entries, cut: %t", n, len(h.Entries), h.Cut)
	}
	if readings := flat(h.Entries); readings[len(readings)-1].Time != now-1 {
		t.Errorf("the newest reading is of %d, want %d", readings[len(readings)-1].Time, now-1)
	}
	if h := mustRange(t, s, tp, store.RangeQuery{From: now - 100}); h.Cut || values(h.Entries) != 100*width {
		t.Errorf("the last 100 ms hold %d values, cut: %t", values(h.Entries), h.Cut)
	}
	topics := make([]reading.Topic, 200)
	for i := range topics {
		topics[i] = tp
	}
	latest, err := s.Latest(t.Context(), topics, 2)
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, entries := range latest {
		if total += values(entries); len(entries) == 0 || flat(entries)[len(flat(entries))-1].Time != now-1 {
			t.Fatalf("%d entries, not the newest", len(entries))
		}
	}
	if total > 2*most+len(topics)*width { // one reading more of each at most
		t.Errorf("together %d values", total)
	}
}

func conformNothing(t *testing.T, b *backend, s *store.Store) {
	tp := topic(t)
	if h := mustRange(t, s, tp, store.RangeQuery{}); len(h.Entries) > 0 || h.End != (reading.Cursor{}) {
		t.Errorf("a topic that nobody wrote: %v", h)
	}
	if r := mustResume(t, s, tp, reading.Cursor{}, 10); r.Verdict != reading.Continuous || len(r.Entries) > 0 || r.End.ID != (reading.StreamID{}) {
		t.Errorf("resuming at its beginning: %v", r)
	}
	if r := mustResume(t, s, tp, reading.Cursor{ID: reading.StreamID{Ms: 5}, Ordinal: reading.Unknown}, 10); r.Verdict != reading.Reset {
		t.Errorf("resuming after an entry that it never had: %v", r)
	}
	if n := b.raw.Exists(t.Context(), store.Key(tp)).Val(); n != 0 {
		t.Error("reading made a key")
	}
	if ids, err := s.Append(t.Context(), nil, store.Once{}); err != nil || len(ids) != 0 {
		t.Errorf("appending nothing: %v, %v", ids, err)
	}
}

func conformTail(t *testing.T, b *backend, s *store.Store) {
	tp := topic(t)
	mustAppend(t, s, number(tp, 1000, 1), number(tp, 1001, 2))
	end := mustRange(t, s, tp, store.RangeQuery{}).End
	mustAppend(t, s, number(tp, 1002, 3))
	full, bare, whole := follow(t, s, tp, end), follow(t, s, tp, reading.Cursor{ID: end.ID, Ordinal: reading.Unknown}), follow(t, s, tp, reading.Cursor{})
	for _, f := range []*follower{full, bare} {
		if got := f.take(t, 1); show(flat(got)) != show([]reading.Reading{number(tp, 1002, 3)}) || got[0].Cursor.Ordinal != 2 || got[0].Cursor.Epoch != end.Epoch {
			t.Errorf("after %v came %v", end, got)
		}
	}
	if got := whole.take(t, 3); len(got) != 2 || got[0].Cursor != end || got[1].Cursor.Ordinal != 2 {
		t.Errorf("from the beginning came %v", got)
	}
	for i := range 50 {
		mustAppend(t, s, number(tp, 2000+int64(i), float64(i)))
	}
	for _, f := range []*follower{full, bare, whole} {
		for i, e := range f.take(t, 50) {
			if e.Cursor.Ordinal != int64(3+i) || e.Cursor.Epoch != end.Epoch || e.Readings[0].Time != 2000+int64(i) {
				t.Fatalf("entry %d is %v", i, e)
			}
		}
	}
	began := time.Now()
	full.stop()
	<-full.ended
	if took := time.Since(began); took > time.Second/2 {
		t.Errorf("a tail whose context ended took %v to end", took)
	}
	mustAppend(t, s, number(tp, 3000, 0))
	bare.take(t, 1)
	whole.take(t, 1)
}

// One tail that stops ranging, or that was never ranged, holds up no other.
func conformTails(t *testing.T, b *backend, s *store.Store) {
	tp := topic(t)
	other := follow(t, s, tp, reading.Cursor{})
	_ = s.Tail(t.Context(), tp, reading.Cursor{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range s.Tail(t.Context(), tp, reading.Cursor{}) {
			break
		}
	}()
	for i := range 20 {
		mustAppend(t, s, number(tp, 1000+int64(i), 0))
	}
	<-done
	other.take(t, 20)
}

// A topic that is watched while the readers block is followed at once. The exact
// form of this test is in clock_test.go.
func conformWake(t *testing.T, b *backend, s *store.Store) {
	for i := range 16 { // so that every reader is blocked
		follow(t, s, topic(t, "quiet", fmt.Sprint(i)), reading.Cursor{})
	}
	soon := 0
	for i := range 8 {
		tp := topic(t, fmt.Sprint(i))
		mustAppend(t, s, number(tp, 1000, 1))
		began := time.Now()
		follow(t, s, tp, reading.Cursor{}).take(t, 1)
		if time.Since(began) < time.Second/4 {
			soon++
		}
	}
	if soon < 6 {
		t.Errorf("only %d of 8 new topics came within a quarter of the time that a read blocks", soon)
	}
}

func conformContinuous(t *testing.T, b *backend, s *store.Store) {
	tp := topic(t)
	for i := range 10 {
		mustAppend(t, s, number(tp, 1000+int64(i), 0))
	}
	all := mustRange(t, s, tp, store.RangeQuery{})
	for i, e := range all.Entries {
		for _, after := range []reading.Cursor{e.Cursor, {ID: e.Cursor.ID, Ordinal: reading.Unknown}} {
			r := mustResume(t, s, tp, after, 100)
			if r.Verdict != reading.Continuous || r.More || r.End != all.End || !slices.EqualFunc(r.Entries, all.Entries[i+1:], sameEntry) {
				t.Fatalf("after %v: %+v", after, r)
			}
		}
	}
	var entries []reading.Entry
	after, rounds := reading.Cursor{}, 0
	for more := true; more; rounds++ {
		r := mustResume(t, s, tp, after, 4)
		if r.Verdict != reading.Continuous || len(r.Entries) > 4 {
			t.Fatalf("after %v: %+v", after, r)
		}
		entries = append(entries, r.Entries...)
		after, more = r.End, r.More
	}
	if rounds != 3 || after != all.End || !slices.EqualFunc(entries, all.Entries, sameEntry) {
		t.Errorf("by fours: %d rounds to %v, %v", rounds, after, entries)
	}
	if r := mustResume(t, s, tp, all.Entries[3].Cursor, 0); r.Verdict != reading.Continuous || len(r.Entries) != 0 || !r.More || r.End != all.Entries[3].Cursor {
		t.Errorf("asked for the verdict only: %+v", r)
	}
}

func sameEntry(a, b reading.Entry) bool {
	return a.Cursor == b.Cursor && show(a.Readings) == show(b.Readings)
}

func conformGap(t *testing.T, b *backend, s *store.Store) {
	tp := topic(t)
	for i := range 20 {
		mustAppend(t, s, number(tp, 1000+int64(i), 0))
	}
	all := mustRange(t, s, tp, store.RangeQuery{})
	if err := b.raw.Do(t.Context(), "xtrim", store.Key(tp), "maxlen", 5).Err(); err != nil {
		t.Fatal(err)
	}
	lost := func(n int64) int64 {
		if b.counts {
			return n
		}
		return reading.Unknown
	}
	r := mustResume(t, s, tp, all.Entries[9].Cursor, 3)
	if b.counts {
		if r.Verdict != reading.Gap || r.Lost != 5 || r.From != all.Entries[9].Cursor || r.To != all.Entries[15].Cursor || !r.More || r.End != all.Entries[17].Cursor {
			t.Errorf("5 lost after the 10th of 20: %+v", r)
		}
		if r = mustResume(t, s, tp, all.Entries[14].Cursor, 9); r.Verdict != reading.Continuous || len(r.Entries) != 5 || r.End != all.End {
			t.Errorf("trimmed up to the anchor, which loses nothing: %+v", r)
		}
	} else if r.Verdict == reading.Continuous && len(r.Entries) > 0 && r.Entries[0].Cursor.ID != all.Entries[10].Cursor.ID {
		t.Errorf("a loss was hidden: %+v", r)
	}
	if r = mustResume(t, s, tp, reading.Cursor{ID: all.Entries[2].Cursor.ID, Ordinal: reading.Unknown}, 9); b.counts && (r.Verdict != reading.Gap || r.Lost != reading.Unknown) {
		t.Errorf("a bare ID: %+v", r)
	}
	if err := b.raw.Do(t.Context(), "xtrim", store.Key(tp), "maxlen", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if r = mustResume(t, s, tp, all.End, 9); r.Verdict != reading.Continuous || r.End.ID != all.End.ID {
		t.Errorf("all trimmed, all read: %+v", r)
	}
	if r = mustResume(t, s, tp, all.Entries[9].Cursor, 9); b.counts && (r.Verdict != reading.Gap || r.Lost != lost(10) || r.End != all.End) {
		t.Errorf("all trimmed, half read: %+v", r)
	}
}

func conformReset(t *testing.T, b *backend, s *store.Store) {
	tp := topic(t)
	for i := range 5 {
		mustAppend(t, s, number(tp, 1000+int64(i), 0))
	}
	old := mustRange(t, s, tp, store.RangeQuery{})
	// Deleted with its epoch, as by FLUSHALL, and written again.
	epoch := strings.Replace(store.Key(tp), "}:s:", "}:e:", 1)
	if n := b.raw.Exists(t.Context(), epoch).Val(); n != 1 {
		t.Fatal("the stream's life has no name")
	}
	b.raw.Del(t.Context(), store.Key(tp), epoch)
	if r := mustResume(t, s, tp, old.End, 9); r.Verdict != reading.Reset || len(r.Entries) > 0 {
		t.Errorf("the stream is gone: %+v", r)
	}
	mustAppend(t, s, number(tp, 2000, 0))
	now := mustRange(t, s, tp, store.RangeQuery{})
	if now.End.Epoch == old.End.Epoch || now.End.Epoch == "" {
		t.Errorf("a new life has the epoch %q, the old one had %q", now.End.Epoch, old.End.Epoch)
	}
	if r := mustResume(t, s, tp, old.End, 9); r.Verdict != reading.Reset || r.End != now.End {
		t.Errorf("another life: %+v", r)
	}
	// Rolled back to an older history within one life, as by a failover.
	b.raw.Del(t.Context(), store.Key(tp))
	if err := b.raw.Do(t.Context(), "xadd", store.Key(tp), "5-1", "value", 1).Err(); err != nil {
		t.Fatal(err)
	}
	if r := mustResume(t, s, tp, now.End, 9); r.Verdict != reading.Reset {
		t.Errorf("rolled back: %+v", r)
	}
	for uint64(time.Now().UnixMilli()) <= now.End.ID.Ms { // else the entry may get the very ID that was rolled back
	}
	mustAppend(t, s, number(tp, 3000, 0))
	if r := mustResume(t, s, tp, now.End, 9); r.Verdict != reading.Reset {
		t.Errorf("rolled back and grown past the cursor: %+v", r)
	}
}
