package store

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"readout/server/reading"
)

// What two lanes bring is handed out once and in order, whichever is sooner, and
// what was asked before a watch began or over a connection that has ended is not.
func TestHand(t *testing.T) {
	type step struct {
		do      string // ask, bring, fail, lose the connection, watch anew after an ID
		read    string
		entries []uint64
	}
	ask := func(read string) step { return step{"ask", read, nil} }
	bring := func(read string, entries ...uint64) step { return step{"bring", read, entries} }
	fail, lose, anew := step{do: "fail"}, step{do: "lose"}, func(after uint64) step { return step{"anew", "", []uint64{after}} }
	for _, c := range []struct {
		name  string
		steps []step
		want  []uint64 // 0 for an error
	}{
		{"one after the other", []step{ask("a"), bring("a", 1, 2), ask("b"), bring("b", 3)}, []uint64{1, 2, 3}},
		{"both bring the same", []step{ask("a"), ask("b"), bring("a", 1, 2), bring("b", 1, 2)}, []uint64{1, 2}},
		{"the second brings more", []step{ask("a"), ask("b"), bring("a", 1), bring("b", 1, 2, 3), ask("c"), bring("c", 4)}, []uint64{1, 2, 3, 4}},
		{"the later one is sooner", []step{ask("a"), ask("b"), bring("b", 1, 2, 3), bring("a", 1, 2)}, []uint64{1, 2, 3}},
		{"the later one is sooner and full", []step{ask("a"), bring("a", 1, 2), ask("a"), ask("b"), bring("b", 3, 4), bring("a", 3, 4, 5)}, []uint64{1, 2, 3, 4, 5}},
		{"the later one brings nothing", []step{ask("a"), ask("b"), bring("b"), bring("a", 1)}, []uint64{1}},
		{"asked over a connection that has ended", []step{ask("a"), lose, bring("a", 1), ask("b"), bring("b", 2)}, []uint64{2}},
		{"asked before, and told after that it failed", []step{ask("a"), ask("b"), lose, fail, bring("b", 1), ask("c"), bring("c", 1, 2)}, []uint64{0, 1, 2}},
		// The stream was emptied, and its IDs begin lower: what comes late is of what was before.
		{"asked before the watch", []step{ask("a"), anew(5), bring("a", 7, 8), ask("b"), bring("b", 6)}, []uint64{6}},
		{"asked before the watch at the same place", []step{anew(5), ask("a"), anew(5), bring("a", 6, 7), ask("b"), bring("b", 6)}, []uint64{6}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newReader(&Store{}, 0)
			var w *watch
			begin := func(after uint64) {
				if w != nil {
					r.remove(w)
				}
				w = &watch{key: "k", after: reading.StreamID{Ms: after}, since: r.reads + 1, deliveries: make(chan delivery), ended: t.Context().Done()}
				r.watches[w] = struct{}{}
			}
			begin(0)
			var got []uint64
			handed := func(hand func()) {
				done := make(chan struct{})
				go func() {
					defer close(done)
					hand()
				}()
				for {
					select {
					case d := <-w.deliveries:
						if d.err != nil {
							got = append(got, 0)
						}
						for _, e := range d.entries {
							got = append(got, e.id.Ms)
						}
						d.done.Done()
					case <-done:
						return
					}
				}
			}
			asked := map[string]request{}
			for _, s := range c.steps {
				switch s.do {
				case "ask":
					asked[s.read] = r.request()
				case "bring":
					res := result{entries: map[string][]raw{}}
					for _, ms := range s.entries {
						res.entries["k"] = append(res.entries["k"], raw{id: reading.StreamID{Ms: ms}})
					}
					handed(func() { r.hand(asked[s.read], res) })
				case "fail":
					handed(func() { r.tell(map[string]error{"k": errors.New("cut")}) })
				case "lose":
					r.life++
				case "anew":
					begin(s.entries[0])
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("handed out %v, want %v", got, c.want)
			}
		})
	}
}

// A watch that begins while the reader ends does not start a second one beside it.
func TestAReaderEndsBeforeTheNextOneStarts(t *testing.T) {
	s := &Store{ctx: t.Context()}
	r := newReader(s, 0)
	r.running = true
	if _, ok := r.next(true); ok || !r.running {
		t.Fatalf("it reads nothing: %t, and others think so: %t", ok, r.running)
	}
	w := &watch{key: "k"}
	r.add(w)
	if r.ended() {
		t.Error("it ends although there is a watch")
	}
	if _, ok := r.next(true); !ok {
		t.Error("it does not read on")
	}
	r.remove(w)
	if !r.ended() || r.running {
		t.Error("it does not end although there is no watch")
	}
}

// A key that is no stream is left out of the reads, and that a read brings nothing
// of it does not mean that all is well.
func TestHandLeavesOutWhatIsNoStream(t *testing.T) {
	r := newReader(&Store{}, 0)
	w := &watch{key: "k", told: true, deliveries: make(chan delivery), ended: t.Context().Done()}
	r.watches[w] = struct{}{}
	r.wrong["k"] = time.Now().Add(time.Hour)
	if r.hand(r.request(), result{entries: map[string][]raw{}}); !w.told {
		t.Error("its watch was told that the store answers again")
	}
}

// The shortest of late stands for the link.
func TestTrip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const ms = time.Millisecond
		var link trip
		if link.least() != 0 {
			t.Errorf("of nothing it says %v", link.least())
		}
		for _, c := range []struct {
			after, took, least time.Duration
		}{
			{0, 30 * ms, 30 * ms},
			{0, 3 * ms, 3 * ms},
			{0, 900 * ms, 3 * ms},            // one slow answer
			{tripWindow, 200 * ms, 3 * ms},   // the link may be slow since
			{tripWindow, 250 * ms, 200 * ms}, // it is
			{ms, 210 * ms, 200 * ms},
			{time.Hour, 220 * ms, 210 * ms},
			{ms, ms, ms}, // it is near again
		} {
			time.Sleep(c.after + ms)
			link.took(c.took, time.Now())
			if link.least() != c.least {
				t.Errorf("after one of %v it says %v, want %v", c.took, link.least(), c.least)
			}
		}
	})
}
