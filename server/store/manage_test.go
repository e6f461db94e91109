package store_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"readout/server/problem"
	"readout/server/reading"
	"readout/server/store"
)

func codeOf(err error) string {
	if err == nil {
		return ""
	}
	p, _ := problem.Of(err)
	return p.Code
}

// ends notes of which topics a replica is told that they are gone.
type ends struct {
	mu   sync.Mutex
	gone map[reading.Topic]int
}

func listenForEnds(s *store.Store) *ends {
	e := &ends{gone: map[reading.Topic]int{}}
	s.OnGone(func(topic reading.Topic) {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.gone[topic]++
	})
	return e
}

func (e *ends) of(topic reading.Topic) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.gone[topic]
}

func conformDelete(t *testing.T, b *backend, s *store.Store) {
	other := b.open(t)
	here, there := listenForEnds(s), listenForEnds(other)
	tp, stays := topic(t), topic(t, "stays")
	if err := s.Describe(t.Context(), tp, []reading.Column{{Name: "value", Unit: "bytes", Kind: reading.Counter}}); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, s, number(tp, 1000, 1), number(tp, 2000, 2), number(stays, 1000, 1))
	eventually(t, "the other replica knows the topic", func() bool { _, ok := other.Info(tp); return ok })
	before := mustRange(t, s, tp, store.RangeQuery{})
	if err := s.Delete(t.Context(), tp); err != nil {
		t.Fatal(err)
	}
	if h := mustRange(t, s, tp, store.RangeQuery{}); len(h.Entries) != 0 || h.End.String() != "0-0" {
		t.Errorf("what is left: %v", h)
	}
	if keys := b.keys(t, "*:"+string(tp)); len(keys) != 0 {
		t.Errorf("keys are left: %v", keys)
	}
	for name, replica := range map[string]*store.Store{"this": s, "the other": other} {
		eventually(t, name+" replica forgets it", func() bool { _, ok := replica.Info(tp); return !ok })
		if _, ok := replica.Info(stays); !ok {
			t.Errorf("%s replica forgot another topic", name)
		}
	}
	eventually(t, "both are told", func() bool { return here.of(tp) == 1 && there.of(tp) == 1 })
	if r := mustResume(t, other, tp, before.End, 10); r.Verdict != reading.Reset {
		t.Errorf("an old cursor: %v", r)
	}
	// It begins anew, with nothing of its past.
	mustAppend(t, other, number(tp, 3000, 3))
	h := mustRange(t, s, tp, store.RangeQuery{})
	if len(h.Entries) != 1 || h.End.Epoch == "" || h.End.Epoch == before.End.Epoch {
		t.Errorf("its next life: %v after %v", h, before.End)
	}
	for _, replica := range []*store.Store{s, other} {
		eventually(t, "both replicas know its next life", func() bool {
			info, ok := replica.Info(tp)
			return ok && fmt.Sprint(info.Columns) == "[{value  gauge}]"
		})
	}
	if r := mustResume(t, s, tp, before.End, 10); r.Verdict != reading.Reset {
		t.Errorf("an old cursor in the next life: %v", r)
	}
	if here.of(tp) != 1 || there.of(tp) != 1 {
		t.Errorf("told %d and %d times", here.of(tp), there.of(tp))
	}
	if err := s.Delete(t.Context(), topic(t, "none")); codeOf(err) != "not_found" {
		t.Errorf("a topic that never was: %v", err)
	}
}

func conformHide(t *testing.T, b *backend, s *store.Store) {
	other := b.open(t)
	tp := topic(t)
	if err := s.Hide(t.Context(), tp, true); codeOf(err) != "not_found" {
		t.Errorf("a topic that never was: %v", err)
	}
	mustAppend(t, s, number(tp, 1000, 1))
	for _, hidden := range []bool{true, false, true} {
		if err := s.Hide(t.Context(), tp, hidden); err != nil {
			t.Fatal(err)
		}
		for _, replica := range []*store.Store{s, other, b.open(t)} {
			eventually(t, fmt.Sprintf("hidden is %t everywhere", hidden), func() bool {
				info, ok := replica.Info(tp)
				return ok && info.Hidden == hidden && len(info.Columns) == 1
			})
		}
	}
	for i := range 20 { // a replica that has not heard of a topic yet asks the store
		soon := topic(t, fmt.Sprint(i))
		mustAppend(t, s, number(soon, 1000, 1))
		if err := other.Hide(t.Context(), soon, true); err != nil {
			t.Errorf("hidden by another replica at once: %v", err)
		}
	}
	// Later changes of the row leave it hidden.
	if err := other.Describe(t.Context(), tp, []reading.Column{{Name: "value", Unit: "ms"}}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the unit is known and the topic still hidden", func() bool {
		info, _ := s.Info(tp)
		return info.Hidden && info.Columns[0].Unit == "ms"
	})
}

// B71: others write to Redis too. What is no reading is left out and counted,
// and what comes after it still comes.
func conformPoison(t *testing.T, b *backend, s *store.Store) {
	tp := topic(t)
	f := follow(t, s, tp, reading.Cursor{})
	poison := [][]any{
		{"p", "no block"},
		{"t", "yesterday", "value", 1},
		{"t", "1000"},
		{"value", "\xff\xfe"},
		{"\xc3\x28", 1},
		{"a name with blanks", 1},
		{"value", ""},
		{"value", strings.Repeat("x", 200)},
		{"value", strings.Repeat("9", 100<<10)},
		{"p", strings.Repeat("p", 100<<10)},
		{strings.Repeat("n", 100<<10), 1},
		{"value", "two\nlines"},
	}
	bad := s.Stats().BadEntries
	for i, fields := range poison {
		b.xadd(t, tp, fields...)
		b.xadd(t, tp, "t", 1000+i, "value", i)
	}
	if got := flat(f.take(t, len(poison))); len(got) != len(poison) {
		t.Errorf("followed:\n%s", show(got))
	}
	if n := s.Stats().BadEntries - bad; n < int64(len(poison)) { // an entry may be read twice
		t.Errorf("%d of %d bad entries counted", n, len(poison))
	}
	h := mustRange(t, s, tp, store.RangeQuery{})
	if got := flat(h.Entries); len(got) != len(poison) {
		t.Errorf("read back:\n%s", show(got))
	}
	mustAppend(t, s, number(tp, 9000, 9))
	f.take(t, 1)
}

// B71: a key that is no stream is the trouble of its own topic only.
func conformWrongTail(t *testing.T, b *backend, s *store.Store) {
	// Topics of one shard share a read also in a Cluster.
	bad := topic(t, "bad")
	var good []reading.Topic
	for i := 0; len(good) < 2; i++ {
		other := topic(t, fmt.Sprint("good", i))
		if strings.HasPrefix(store.Key(other), store.Key(bad)[:len("readout:{000}")]) {
			good = append(good, other)
		}
	}
	mustAppend(t, s, number(bad, 1000, 1), number(good[0], 1000, 1), number(good[1], 1000, 1))
	follows := map[reading.Topic]*follower{}
	for _, tp := range append(good, bad) {
		follows[tp] = follow(t, s, tp, mustRange(t, s, tp, store.RangeQuery{}).End)
	}
	mustAppend(t, s, number(bad, 2000, 2), number(good[0], 2000, 2), number(good[1], 2000, 2))
	for _, f := range follows {
		f.take(t, 1)
	}
	if err := b.raw.Set(t.Context(), store.Key(bad), "not a stream", 0).Err(); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, s, number(good[0], 3000, 3), number(good[1], 3000, 3))
	for _, tp := range good {
		follows[tp].take(t, 1) // fails on any error
	}
	if b.counts { // the embedded server passes such keys over, and nobody else writes there
		select {
		case err := <-follows[bad].errs:
			if codeOf(err) != "wrong_type" {
				t.Errorf("the follower of the bad key is told %v", err)
			}
		case <-time.After(patience):
			t.Fatal("the follower of the bad key is told nothing")
		}
	}
	for i := range 20 {
		mustAppend(t, s, number(good[0], int64(4000+i), 4), number(good[1], int64(4000+i), 4))
	}
	for _, tp := range good {
		follows[tp].take(t, 20)
	}
	// It comes back when the key is gone.
	if err := b.raw.Del(t.Context(), store.Key(bad)).Err(); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, s, number(bad, 5000, 5))
	eventually(t, "the bad topic comes back", func() bool {
		select {
		case batch := <-follows[bad].batches:
			return len(flat(batch)) == 1
		default:
			return false
		}
	})
}
