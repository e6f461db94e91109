package hub_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"readout/server/hub"
	"readout/server/reading"
)

// quiet reads nothing and follows nothing: what a test needs of it, it replaces.
func quiet() hub.Options {
	return hub.Options{
		Tail: func(ctx context.Context, _ reading.Topic, _ reading.Cursor) iter.Seq2[[]reading.Entry, error] {
			return func(func([]reading.Entry, error) bool) { <-ctx.Done() }
		},
		Recent: func(context.Context, reading.Topic, int64, int) (reading.History, error) {
			return reading.History{}, nil
		},
		Resume: func(context.Context, reading.Topic, reading.Cursor, int) (reading.Resumed, error) {
			return reading.Resumed{}, nil
		},
		Topics:  func(func(reading.Topic) bool) []reading.Topic { return nil },
		Columns: func(reading.Topic) []reading.Column { return nil },
	}
}

func anyone(reading.Topic) error { return nil }

// framesIn returns the beginnings of the frames that come within a time.
func framesIn(s *hub.Subscriber, wait time.Duration) (list []string) {
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	for {
		frames, err := s.Next(ctx)
		if err != nil {
			return list
		}
		for _, f := range frames {
			list = append(list, string(f))
		}
	}
}

func has(frames []string, parts ...string) bool {
	return slices.ContainsFunc(frames, func(f string) bool {
		return !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(f, part) })
	})
}

// One read that fails says stale, and the next that succeeds takes it back, for
// everyone, also when the topic gets no reading.
func TestStaleEndsWhenTheStoreAnswersAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := quiet()
		var fails atomic.Int32
		var long reading.History // more than the ring holds, so that an hour asks the store
		for i := range 600 {
			ms := time.Now().UnixMilli() - 600 + int64(i)
			long.End = reading.Cursor{ID: reading.StreamID{Ms: uint64(ms)}, Ordinal: int64(i + 1), Epoch: "e"}
			long.Entries = append(long.Entries, reading.Entry{Cursor: long.End, Readings: []reading.Reading{
				{Topic: "a", Time: ms, Values: []reading.Named{{Name: "value", Value: reading.NumberOf(1)}}},
			}})
		}
		o.Recent = func(context.Context, reading.Topic, int64, int) (reading.History, error) {
			if fails.Add(-1) >= 0 {
				return reading.History{}, errors.New("one slow read")
			}
			return long, nil
		}
		h := hub.New(o)
		defer h.Close()
		first := h.Join(anyone)
		defer first.Leave()
		first.Subscribe(hub.Subscription{ID: 1, Topics: []string{"a"}, Window: 100 * time.Millisecond})
		framesIn(first, time.Second)

		fails.Store(1)
		second := h.Join(anyone)
		defer second.Leave()
		second.Subscribe(hub.Subscription{ID: 1, Topics: []string{"a"}, Window: time.Hour})
		if got := framesIn(second, 5*time.Second); !has(got, `"stale"`) || !has(got, `"snapshot"`) {
			t.Errorf("the one whose read failed got %.60q", got)
		}
		if got := framesIn(first, 5*time.Second); !has(got, `"stale"`) || !strings.Contains(got[len(got)-1], `"readings"`) {
			t.Errorf("the other one got %.60q: stale, and then a message that takes it back", got)
		}
		third := h.Join(anyone)
		defer third.Leave()
		third.Subscribe(hub.Subscription{ID: 1, Topics: []string{"a"}, Window: 100 * time.Millisecond})
		if got := framesIn(third, time.Second); has(got, `"stale"`) {
			t.Errorf("one who came later got %.60q", got)
		}
	})
}

// So does it when the one whose read failed has left before it could ask again, as
// polls do, and the topic gets no reading.
func TestStaleEndsWithoutTheOneWhoMetIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := quiet()
		fails := make(chan error, 1)
		o.Resume = func(_ context.Context, _ reading.Topic, after reading.Cursor, limit int) (reading.Resumed, error) {
			if limit == 0 { // a check
				return reading.Resumed{From: after, End: after}, nil
			}
			select {
			case err := <-fails:
				return reading.Resumed{}, err
			default:
				return reading.Resumed{From: after, End: after}, nil
			}
		}
		h := hub.New(o)
		defer h.Close()
		first := h.Join(anyone)
		defer first.Leave()
		first.Subscribe(hub.Subscription{ID: 1, Topics: []string{"a"}})
		framesIn(first, time.Second)

		fails <- errors.New("one slow read")
		second := h.Join(anyone)
		second.Subscribe(hub.Subscription{ID: 1, Topics: []string{"a"}, After: map[string]string{"a": "1-1"}})
		synctest.Wait()
		second.Leave()
		got := framesIn(first, 10*time.Second)
		if !has(got, `"stale"`) || !strings.Contains(got[len(got)-1], `"readings"`) {
			t.Errorf("the other one got %.60q: stale, and then a message that takes it back", got)
		}
		third := h.Join(anyone)
		defer third.Leave()
		third.Subscribe(hub.Subscription{ID: 1, Topics: []string{"a"}})
		if got := framesIn(third, time.Second); has(got, `"stale"`) {
			t.Errorf("one who came later got %.60q", got)
		}
	})
}

// A request of 250 KB may name one selector fifty thousand times, and must not
// cost as many looks at each topic of the catalog.
func TestASelectorIsLookedForOnce(t *testing.T) {
	o := quiet()
	o.Topics = func(match func(reading.Topic) bool) []reading.Topic {
		for i := range 20_000 {
			match(reading.Topic(fmt.Sprint("topic", i)))
		}
		return nil
	}
	h := hub.New(o)
	defer h.Close()
	s := h.Join(anyone)
	defer s.Leave()
	began := time.Now()
	s.Subscribe(hub.Subscription{ID: 1, Topics: slices.Repeat([]string{"b*"}, 50_000)})
	if took := time.Since(began); took > 5*time.Second { // 50 ms, where each is looked for it is 25 s
		t.Errorf("the request took %v", took)
	}
}

func TestATopicThatCannotBeReadHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := quiet()
		o.Recent = func(_ context.Context, topic reading.Topic, _ int64, _ int) (reading.History, error) {
			if topic == "bad" {
				return reading.History{}, errors.New("WRONGTYPE")
			}
			return reading.History{}, nil
		}
		h := hub.New(o)
		defer h.Close()
		s := h.Join(anyone)
		defer s.Leave()
		s.Subscribe(hub.Subscription{ID: 1, Topics: []string{"bad", "good1", "good2"}})
		if got := framesIn(s, time.Second); !has(got, `"snapshot"`, "good1") || !has(got, `"snapshot"`, "good2") {
			t.Errorf("got %.60q", got)
		}
	})
}

// Whoever stores the first reading of a topic must not wait for a subscriber.
// (Outside a bubble: a mutex that is waited for would stop its clock.)
func TestANewTopicWaitsForNoRequest(t *testing.T) {
	o := quiet()
	inside, leave := make(chan struct{}), make(chan struct{})
	o.Topics = func(func(reading.Topic) bool) []reading.Topic {
		close(inside)
		<-leave // a look through a very large catalog
		return nil
	}
	h := hub.New(o)
	defer h.Close()
	s := h.Join(anyone)
	defer s.Leave()
	go s.Subscribe(hub.Subscription{ID: 1, Topics: []string{"x*"}})
	<-inside
	h.TopicAdded("x1") // would wait for ever
	close(leave)
	for {
		frames, err := s.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(frames, func(f []byte) bool { return strings.HasPrefix(string(f), `{"type":"topics"`) }) {
			return
		}
	}
}

func TestWhatIsLeftOutIsNamedWithinBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := quiet()
		var all []reading.Topic
		for i := range 10_000 {
			all = append(all, reading.Topic(fmt.Sprintf(`topic%05d{host="h"}`, i)))
		}
		looks := 0
		o.Topics = func(match func(reading.Topic) bool) (list []reading.Topic) {
			looks++
			for _, topic := range all {
				if match(topic) {
					list = append(list, topic)
				}
			}
			return list
		}
		h := hub.New(o)
		defer h.Close()
		s := h.Join(anyone)
		defer s.Leave()
		var selectors []string
		for i := range 100 {
			selectors = append(selectors, fmt.Sprintf(`*{host!="%d"}`, i))
		}
		s.Subscribe(hub.Subscription{ID: 1, Topics: selectors})
		for _, f := range framesIn(s, time.Second) {
			if strings.HasPrefix(f, `{"type":"limit"`) && (len(f) > 64<<10 || !strings.HasSuffix(f, `"of":9000}`)) {
				t.Errorf("%d bytes that end with %q", len(f), f[len(f)-30:])
			}
		}
		if looks != 1 {
			t.Errorf("%d looks through the catalog for one request", looks)
		}
	})
}

func TestAPausedSubscriberIsToldWhereItBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hub.New(quiet())
		defer h.Close()
		s := h.Join(anyone)
		defer s.Leave()
		s.Pause()
		s.Subscribe(hub.Subscription{ID: 1, Topics: []string{"a"}})
		if got := framesIn(s, time.Second); !has(got, `"snapshot"`) {
			t.Errorf("got %q", got)
		}
	})
}

// What panics in a streamer ends that streamer; its subscribers come back to a new one.
func TestAPanicEndsOneStreamer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := quiet()
		var calls atomic.Int32
		follow := o.Tail
		o.Tail = func(ctx context.Context, topic reading.Topic, after reading.Cursor) iter.Seq2[[]reading.Entry, error] {
			if topic == "bad" && calls.Add(1) == 1 {
				return func(func([]reading.Entry, error) bool) { panic("a mistake") }
			}
			return follow(ctx, topic, after)
		}
		h := hub.New(o)
		defer h.Close()
		first := h.Join(anyone)
		defer first.Leave()
		first.Subscribe(hub.Subscription{ID: 1, Topics: []string{"bad"}})
		framesIn(first, time.Second)
		_, err := first.Next(t.Context())
		var closed *hub.Closed
		if !errors.As(err, &closed) || closed.Code != 1011 {
			t.Errorf("its subscriber: %v", err)
		}
		again := h.Join(anyone)
		defer again.Leave()
		again.Subscribe(hub.Subscription{ID: 1, Topics: []string{"bad"}})
		if got := framesIn(again, time.Second); !has(got, `"snapshot"`) {
			t.Errorf("who came back got %q", got)
		}
		if n := h.Stats().Panics; n != 1 {
			t.Errorf("%d panics counted", n)
		}
	})
}

// What panics while a flow begins ends that subscriber, and holds no lock: the
// others of the topic go on, and who comes back begins.
func TestAPanicWhileAFlowBegins(t *testing.T) {
	for name, panics := range map[string]func(o *hub.Options, armed *atomic.Bool){
		"under the streamer's lock": func(o *hub.Options, armed *atomic.Bool) {
			o.Columns = func(reading.Topic) []reading.Column {
				if armed.CompareAndSwap(true, false) {
					panic("a mistake")
				}
				return nil
			}
		},
		"in a read of the store": func(o *hub.Options, armed *atomic.Bool) {
			resume := o.Resume
			o.Resume = func(ctx context.Context, topic reading.Topic, after reading.Cursor, limit int) (reading.Resumed, error) {
				if armed.CompareAndSwap(true, false) {
					panic("a mistake")
				}
				return resume(ctx, topic, after, limit)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				src := newSource()
				o := src.options()
				var armed atomic.Bool
				// The resume brings a column that nobody knows yet, so that it asks what it means.
				o.Resume = func(_ context.Context, _ reading.Topic, after reading.Cursor, _ int) (reading.Resumed, error) {
					e := src.entry()
					e.Readings[0].Values = append(e.Readings[0].Values, reading.Named{Name: fmt.Sprint("new", src.count), Value: reading.NumberOf(1)})
					return reading.Resumed{From: after, Entries: []reading.Entry{e}, End: e.Cursor}, nil
				}
				panics(&o, &armed)
				h := hub.New(o)
				defer h.Close()
				other := h.Join(anyone)
				defer other.Leave()
				other.Subscribe(hub.Subscription{ID: 1, Topics: []string{"net"}})
				src.send(1)
				framesOf(t, other)

				armed.Store(true)
				s := h.Join(anyone)
				defer s.Leave()
				s.Subscribe(hub.Subscription{ID: 1, Topics: []string{"net"}, After: map[string]string{"net": "5-0"}})
				synctest.Wait()
				framesIn(s, time.Second)
				var closed *hub.Closed
				if _, err := s.Next(t.Context()); !errors.As(err, &closed) || closed.Code != 1011 {
					t.Errorf("it ends with %v", err)
				}
				src.send(1)
				if got := framesOf(t, other); len(got) != 1 || got[0].Type != "readings" {
					t.Errorf("the other one got %+v", got)
				}
				again := h.Join(anyone)
				defer again.Leave()
				again.Subscribe(hub.Subscription{ID: 1, Topics: []string{"net"}})
				if got := framesOf(t, again); len(got) == 0 || got[0].Type != "snapshot" {
					t.Errorf("one who comes later got %+v", got)
				}
				if n := h.Stats().Panics; n != 1 {
					t.Errorf("%d panics counted", n)
				}
			})
		})
	}
}
