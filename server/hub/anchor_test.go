package hub_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"readout/server/hub"
	"readout/server/reading"
)

// watcher is one subscriber of a hub over a shelf, and holds what it gets against
// what the shelf has held.
type watcher struct {
	t     *testing.T
	shelf *shelf
	s     *hub.Subscriber
	done  sync.WaitGroup

	mu     sync.Mutex
	last   map[reading.Topic]string
	begun  map[reading.Topic]bool
	resets map[reading.Topic]int
	across map[reading.Topic]bool // it was sent readings of two histories as one, and is owed a reset
	count  map[string]int
}

func watch(t *testing.T, h *hub.Hub, s *shelf, topics ...string) *watcher {
	w := &watcher{t: t, shelf: s, s: h.Join(anyone), last: map[reading.Topic]string{}, begun: map[reading.Topic]bool{}, resets: map[reading.Topic]int{}, across: map[reading.Topic]bool{}, count: map[string]int{}}
	w.s.Subscribe(hub.Subscription{ID: 1, Topics: topics})
	w.done.Go(func() {
		for {
			frames, err := w.s.Next(context.Background())
			if err != nil {
				return
			}
			for _, f := range frames {
				w.take(f)
			}
		}
	})
	return w
}

func (w *watcher) leave() {
	w.s.Leave()
	w.done.Wait()
}

func (w *watcher) take(raw []byte) {
	var f struct {
		Type, ID, Prev, From, To, Why string
		Topic                         reading.Topic
		Of                            int
		Lost                          *int64
	}
	if err := json.Unmarshal(raw, &f); err != nil && !strings.HasPrefix(string(raw), `{"type":"error"`) {
		w.t.Error(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	fail := func(text string) { w.t.Errorf("%s: ...%s after %q", text, raw[max(0, len(raw)-150):], w.last[f.Topic]) }
	w.count[f.Type]++
	switch f.Type {
	case "snapshot":
		if w.begun[f.Topic] {
			fail("a snapshot in the middle")
		}
		w.begun[f.Topic], w.last[f.Topic] = true, f.ID
	case "reset":
		w.resets[f.Topic]++
		w.begun[f.Topic], w.across[f.Topic] = false, false
	case "readings":
		if f.Prev != w.last[f.Topic] {
			fail("the chain is broken")
		}
		if !w.some(f.Topic, f.Prev, f.ID, f.Of, false) {
			w.across[f.Topic] = true // the stream ended and came back within a second
		}
		w.last[f.Topic] = f.ID
	case "gap":
		w.count[f.Why]++
		switch {
		case f.From != w.last[f.Topic]:
			fail("the chain is broken")
		case f.Lost == nil || *f.Lost < 1:
			fail("an unknown number is lost")
		case !w.some(f.Topic, f.From, f.To, int(*f.Lost), true):
			fail("another number is lost")
		}
		w.last[f.Topic] = f.To
	}
}

// some says whether any history of a topic had n entries between two cursors, and
// for a gap that they are gone.
func (w *watcher) some(topic reading.Topic, after, to string, n int, gone bool) bool {
	from, end := parse(w.t, after), parse(w.t, to)
	w.shelf.mu.Lock()
	defer w.shelf.mu.Unlock()
	histories, kept := w.shelf.past[topic], reading.StreamID{}
	if st := w.shelf.streams[topic]; st != nil {
		histories = append(histories[:len(histories):len(histories)], st.all)
		if st.first < len(st.all) {
			kept = st.all[st.first].Cursor.ID
		}
	}
	for i, all := range histories {
		count, trimmed := 0, true
		for _, e := range all {
			if e.Cursor.ID.Compare(from.ID) > 0 && e.Cursor.ID.Compare(end.ID) <= 0 {
				count++
				trimmed = trimmed && (i < len(histories)-1 || kept == reading.StreamID{} || e.Cursor.ID.Compare(kept) < 0)
			}
		}
		if count == n && (!gone || trimmed) {
			return true
		}
	}
	return len(histories) == 0 && n == 0
}

// settled says that the watcher is where each topic is, and was told of no more
// endings than there were.
func (w *watcher) settled(topics ...string) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, name := range topics {
		topic := reading.Topic(name)
		w.shelf.mu.Lock()
		_, end := w.shelf.look(topic)
		endings := w.shelf.endings[topic]
		w.shelf.mu.Unlock()
		if got := parse(w.t, w.last[topic]); got.ID != end.ID || got.Epoch != end.Epoch || !w.begun[topic] {
			w.t.Errorf("%s: a viewer ends at %v, the stream at %v", topic, got, end)
		}
		if w.across[topic] {
			w.t.Errorf("%s: a message stands for another number of readings than there are, and no reset came", topic)
		}
		if w.resets[topic] > endings {
			w.t.Errorf("%s: %d resets for %d endings", topic, w.resets[topic], endings)
		}
	}
}

// TestChainOverABadStore does at random to a store whatever can befall one, and
// holds what viewers get against it.
func TestChainOverABadStore(t *testing.T) {
	met := map[string]int{}
	seeds := []uint64{1, 2, 3, 4, 5, 6, 7, 8}
	if *chainSeed != 0 {
		seeds = []uint64{*chainSeed}
	} else {
		seeds = append(seeds, rand.Uint64N(1e6), rand.Uint64N(1e6))
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprintf("chain.seed=%d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { badStore(t, seed, met) })
		})
	}
	t.Log(met)
	for _, kind := range []string{"snapshot", "readings", "gap", "reset", "stale", "trimmed", "slow", "outage", "overtaken", "replaced"} {
		if *chainSeed == 0 && met[kind] == 0 {
			t.Errorf("%s was never met: the test proves less than it says", kind)
		}
	}
}

func badStore(t *testing.T, seed uint64, met map[string]int) {
	s := newShelf(seed)
	random := rand.New(rand.NewPCG(seed, 0))
	o := s.options()
	o.Doubt = 30
	h := hub.New(o)
	defer h.Close()
	topics := []string{"a", "b", "c", "never"}
	for _, topic := range topics[:3] {
		s.push(reading.Topic(topic), 20)
	}
	watchers := []*watcher{watch(t, h, s, topics...), watch(t, h, s, topics...), watch(t, h, s, topics...)}
	paused := false
	for range 400 {
		topic := reading.Topic(topics[random.IntN(3)])
		switch n := random.IntN(100); {
		case n < 50:
			s.push(topic, 1+random.IntN(3))
		case n < 56: // more than the stream holds
			s.push(topic, 70+random.IntN(900))
			s.trim(topic, 60)
		case n < 57: // more than the ring holds, and the tail keeps up
			for range 30 {
				s.push(topic, 25)
				time.Sleep(30 * time.Millisecond)
			}
			s.trim(topic, 60)
		case n < 60: // it rests, and is trimmed by time
			time.Sleep(time.Second)
			s.trim(topic, random.IntN(10))
		case n < 63: // deleted by an API, and perhaps back at once
			s.end(topic, 0, false)
			s.push(topic, random.IntN(3))
			if random.IntN(2) == 0 {
				h.TopicDeleted(topic)
			}
		case n < 66: // deleted by hand, and perhaps back at once
			s.end(topic, 0, true)
			s.push(topic, random.IntN(3))
			time.Sleep(3 * time.Second) // see below
		case n < 67: // FLUSHALL
			for _, topic := range topics[:3] {
				s.end(reading.Topic(topic), 0, false)
			}
		case n < 74: // an outage, after which the store may be another one
			s.leave()
			time.Sleep(time.Duration(random.Int64N(int64(3 * time.Second))))
			switch random.IntN(4) {
			case 0:
				s.end(topic, 1+random.IntN(15), true)
			case 1:
				s.end(topic, 1+random.IntN(15), true)
				s.push(topic, random.IntN(40))
			case 2:
				s.push(topic, 30+random.IntN(300))
				s.trim(topic, 10)
			}
			s.back()
			// An epoch that outlives its history tells nothing once the next one has
			// grown past a viewer's place and was trimmed: then the count is wrong.
			time.Sleep(3 * time.Second)
		case n < 77:
			watchers[0].s.Pause()
			paused = true
		case n < 78 && paused:
			watchers[0].s.Resume()
			paused = false
		default:
			time.Sleep(time.Duration(random.Int64N(int64(2 * time.Second))))
		}
		time.Sleep(time.Duration(random.Int64N(int64(50 * time.Millisecond))))
	}
	watchers[0].s.Resume()
	time.Sleep(10 * time.Second)
	synctest.Wait()
	for _, w := range watchers {
		w.settled(topics...)
		w.leave()
		for kind, n := range w.count {
			met[kind] += n
		}
	}
	stats := h.Stats()
	met["overtaken"] += int(stats.Overtaken)
	met["replaced"] += int(stats.Replaced)
	met["cleared"] += int(stats.Cleared)
}

// TestQuietHour watches hundreds of topics for a virtual hour in which nothing goes
// wrong: topics that are pushed at every pace, are trimmed while they rest, are
// empty, age out, are deleted and come back. A gap is never told, and a reset only
// where a history ended, once.
func TestQuietHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many = 240
		s := newShelf(1)
		o := s.options()
		o.Doubt = 30
		h := hub.New(o)
		defer h.Close()
		var topics []string
		for i := range many {
			topics = append(topics, fmt.Sprintf("t%03d", i))
		}
		push := func(from, to int) {
			for _, topic := range topics[from:to] {
				s.push(reading.Topic(topic), 1)
			}
		}
		push(0, many-10) // the last 10 never are
		w := watch(t, h, s, topics...)
		for minute := range 60 {
			push(0, 20)
			switch minute {
			case 20, 40:
				push(20, 40)
				for _, topic := range topics[40:60] { // by time, while nobody pushes
					s.trim(reading.Topic(topic), 0)
				}
			case 25:
				push(40, 60)
				for _, topic := range topics[80:100] { // aged out, or deleted
					s.end(reading.Topic(topic), 0, false)
					h.TopicDeleted(reading.Topic(topic)) // as the catalog does, also later once more
				}
			case 26:
				for _, topic := range topics[80:100] {
					h.TopicDeleted(reading.Topic(topic))
				}
			case 30:
				push(80, 90)
			}
			time.Sleep(time.Minute)
		}
		synctest.Wait()
		w.settled(topics...)
		w.leave()
		for i, topic := range topics {
			want := 0
			if i >= 80 && i < 100 {
				want = 1
			}
			if got := w.resets[reading.Topic(topic)]; got != want {
				t.Errorf("%s: %d resets, want %d", topic, got, want)
			}
		}
		if n := w.count["gap"] + w.count["stale"] + w.count["error"]; n > 0 {
			t.Errorf("in a quiet hour came %v", w.count)
		}
		if stats := h.Stats(); stats.Checks < many*3000 || stats.ChecksFailed > 0 {
			t.Errorf("%d checks of %d topics in an hour, %d failed", stats.Checks, many, stats.ChecksFailed)
		}
	})
}

// TestManyStreamersBeginAgain ends the histories of very many topics at once: all
// viewers are told, and the store is not stormed.
func TestManyStreamersBeginAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many = 2000
		s := newShelf(1)
		o := s.options()
		o.Limits = hub.Limits{Topics: many, Points: 10, Message: 1 << 20}
		h := hub.New(o)
		defer h.Close()
		var topics []string
		for i := range many {
			topics = append(topics, fmt.Sprintf("t%05d", i))
			s.push(reading.Topic(topics[i]), 1)
		}
		w := watch(t, h, s, topics...)
		time.Sleep(time.Minute)
		s.leave()
		for _, topic := range topics {
			s.end(reading.Topic(topic), 0, false)
			s.push(reading.Topic(topic), 1)
		}
		time.Sleep(10 * time.Second)
		s.back()
		time.Sleep(15 * time.Second)
		synctest.Wait()
		w.settled(topics...)
		w.leave()
		if w.count["reset"] != many {
			t.Errorf("%d resets for %d topics", w.count["reset"], many)
		}
		if s.most > 20 {
			t.Errorf("%d reads of the store at once", s.most)
		}
	})
}

// A check that fails is no verdict.
func TestAFailedCheckIsNoVerdict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(1)
		o := s.options()
		o.Resume = func(context.Context, reading.Topic, reading.Cursor, int) (reading.Resumed, error) {
			return reading.Resumed{Verdict: reading.Reset}, errAway
		}
		h := hub.New(o)
		defer h.Close()
		s.push("a", 3)
		w := watch(t, h, s, "a")
		time.Sleep(time.Minute)
		s.push("a", 1)
		time.Sleep(time.Second)
		w.settled("a")
		w.leave()
		if w.count["reset"]+w.count["gap"]+w.count["stale"] > 0 || h.Stats().ChecksFailed < 50 {
			t.Errorf("%v, %+v", w.count, h.Stats())
		}
	})
}
