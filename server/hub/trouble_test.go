package hub_test

import (
	"context"
	"encoding/json"
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

// kindsOf returns the types of frames.
func kindsOf(frames []string) string {
	kinds := make([]string, len(frames))
	for i, f := range frames {
		kinds[i], _, _ = strings.Cut(strings.TrimPrefix(f, `{"type":"`), `"`)
	}
	return strings.Join(kinds, " ")
}

func has(frames []string, parts ...string) bool {
	return slices.ContainsFunc(frames, func(f string) bool {
		return !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(f, part) })
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
		o.Topics = func(match func(reading.Topic) bool) []reading.Topic {
			looks++
			return matching(all, match)
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
			if strings.HasPrefix(f, `{"type":"limit"`) && (len(f) > 32<<10 || !strings.HasSuffix(f, `"of":9000}`)) {
				t.Errorf("%d bytes that end with %q", len(f), f[len(f)-30:])
			}
		}
		if looks != 1 {
			t.Errorf("%d looks through the catalog for one request", looks)
		}
	})
}

// Names above the limit that nobody takes are counted, whether many requests or many
// new topics bring them.
func TestWhatIsLeftOutDoesNotPileUp(t *testing.T) {
	want := map[string]int{"requests": 100, "new topics": 1 + 5000}
	long := func(i int) reading.Topic {
		return reading.Topic(fmt.Sprintf(`t%06d{l="%s"}`, i, strings.Repeat("x", 1000)))
	}
	for name, bring := range map[string]func(h *hub.Hub, s *hub.Subscriber){
		"requests": func(_ *hub.Hub, s *hub.Subscriber) {
			for id := range int64(100) {
				s.Subscribe(hub.Subscription{ID: id + 1, Topics: []string{"*"}})
			}
		},
		"new topics": func(h *hub.Hub, s *hub.Subscriber) {
			s.Subscribe(hub.Subscription{ID: 1, Topics: []string{"t*"}})
			for i := range 5000 {
				h.TopicAdded(long(10_000 + i))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := quiet()
				o.Limits = hub.Limits{Topics: 1, Points: 10, Message: 1 << 10}
				o.Topics = func(match func(reading.Topic) bool) (list []reading.Topic) {
					for i := range 3000 {
						if topic := long(i); match(topic) {
							list = append(list, topic)
						}
					}
					return list
				}
				h := hub.New(o)
				defer h.Close()
				s := h.Join(anyone)
				defer s.Leave()
				bring(h, s)
				synctest.Wait()
				frames, err := s.Next(t.Context())
				bytes, limits := 0, 0
				for _, f := range frames {
					bytes += len(f)
					if strings.HasPrefix(string(f), `{"type":"limit"`) {
						limits++
					}
				}
				if err != nil || bytes > 100<<10 || limits == 0 {
					t.Errorf("%d bytes waited, in %d frames of topics that are left out: %v", bytes, limits, err)
				}
				for _, f := range framesIn(s, time.Second) {
					if strings.HasPrefix(f, `{"type":"limit"`) {
						limits++
					}
				}
				if limits != want[name] {
					t.Errorf("%d times told of topics that are left out, want %d", limits, want[name])
				}
			})
		})
	}
}

// What appears while a subscriber takes nothing waits within bounds, and none of it is lost.
func TestNewTopicsDoNotPileUp(t *testing.T) {
	for _, c := range []struct {
		name               string
		times, of          int // so many appear, of so many different ones
		grown, limits, out int // frames of those that are added and of those left out, and how many these are
	}{
		{"a few come and go", 9_000, 20, 10, 10, 10},
		{"very many", 50_000, 50_000, 10, 1, 49_990},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var catalog []reading.Topic
				o := quiet()
				o.Limits = hub.Limits{Topics: 10, Points: 10, Message: 1 << 10}
				o.Topics = func(match func(reading.Topic) bool) []reading.Topic { return matching(catalog, match) }
				h := hub.New(o)
				defer h.Close()
				s := h.Join(anyone)
				defer s.Leave()
				s.Subscribe(hub.Subscription{ID: 1, Topics: []string{"t*"}})
				s.Send(make([]byte, 64<<10)) // there is no room
				for i := range c.times {
					topic := reading.Topic(fmt.Sprint("t", i%c.of))
					if i < c.of {
						catalog = append(catalog, topic)
					}
					h.TopicAdded(topic)
				}
				grown, limits, out := 0, 0, 0
				for _, frame := range framesIn(s, time.Second) {
					var f struct {
						Type   string
						Topics []string
						Of     int
					}
					_ = json.Unmarshal([]byte(frame), &f) // the one that takes all room is none
					switch f.Type {
					case "topics":
						grown++
					case "limit":
						limits++
						out += max(f.Of, len(f.Topics))
					}
				}
				if grown != c.grown || limits != c.limits || out != c.out {
					t.Errorf("told of %d that are added and in %d frames of %d that are not, want %d, %d and %d", grown, limits, out, c.grown, c.limits, c.out)
				}
			})
		})
	}
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

// matching are those of the topics that match.
func matching(topics []reading.Topic, match func(reading.Topic) bool) (list []reading.Topic) {
	for _, topic := range topics {
		if match(topic) {
			list = append(list, topic)
		}
	}
	return list
}
