package servertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

const (
	rememberedFrames = 200 // for the report of a lie
	reconnectWithin  = 250 * time.Millisecond
)

// viewer follows some topics as a page does: it resumes by its cursors, on any
// transport and any server.
type viewer struct {
	o         *Oracle
	number    int
	transport string
	topics    []string
	rate      float64 // messages a second for each topic; 0 for all
	hides     bool    // pauses and goes on, as a tab that is hidden now and then
	choose    *rand.Rand
	begun     atomic.Bool // it has had all its topics

	mu      sync.Mutex // guards the fields below
	watches map[string]*watch
	recent  []string // its last frames
	told    map[string]time.Time
	news    map[string]time.Time // by topic: when it first got a reading that was sent after Heal
	stale   map[string]time.Time // by topic: since Begin
}

func (o *Oracle) newViewer(i int) *viewer {
	load := o.run.Load
	v := &viewer{
		o: o, number: i, transport: load.Transports[i%len(load.Transports)], choose: rand.New(rand.NewPCG(o.run.Seed, uint64(i)<<32)),
		watches: map[string]*watch{}, told: map[string]time.Time{}, news: map[string]time.Time{}, stale: map[string]time.Time{},
	}
	switch i % 7 {
	case 5:
		v.rate = 5
	case 6:
		v.hides = v.transport == "websocket"
	}
	for at := range min(load.Each, load.Topics) {
		topic := string(o.ledgers[(i*load.Each+at)%load.Topics].topic)
		v.topics = append(v.topics, topic)
		v.watches[topic] = &watch{who: fmt.Sprintf("viewer %d (%s)", i, v.transport), topic: topic, batch: int64(load.Batch), history: history{high: -1}}
	}
	return v
}

// watchAll watches until the run ends, and comes back whenever its connection ends.
func (v *viewer) watchAll() {
	for v.o.watching.Err() == nil {
		if err := v.session(); err != nil && v.o.watching.Err() == nil {
			v.o.tally.end(fmt.Sprintf("viewer %d (%s): %v", v.number, v.transport, err))
		}
		timer := time.NewTimer(time.Duration(v.choose.Int64N(int64(reconnectWithin))))
		select {
		case <-timer.C:
		case <-v.o.watching.Done():
		}
		timer.Stop()
	}
}

// session is one connection. It returns why it ended, nil when its viewer ended it.
func (v *viewer) session() error {
	ctx, cancel := context.WithCancel(v.o.watching)
	defer cancel()
	if churn := v.o.run.Load.Churn; churn > 0 {
		timer := time.AfterFunc(time.Duration(v.choose.ExpFloat64()*float64(churn)), cancel)
		defer timer.Stop()
	}
	began := time.Now()
	c, err := v.open(ctx)
	if err != nil {
		return unless(ctx, err)
	}
	defer c.close()
	went := false // on, with every topic
	for {
		message, err := c.next(ctx)
		now := time.Now()
		if err != nil {
			v.leave(now)
			return unless(ctx, err)
		}
		v.hear(message, now)
		if !went && v.isWatching() {
			went = true
			if v.begun.Swap(true) { // the first time was snapshots
				v.o.resumes.Add(now.Sub(began))
			}
		}
	}
}

// unless is the error, or nil when ctx has ended and so caused it.
func unless(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// hear takes one frame.
func (v *viewer) hear(message []byte, now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.recent) < rememberedFrames {
		v.recent = append(v.recent, string(message))
	} else {
		copy(v.recent, v.recent[1:])
		v.recent[rememberedFrames-1] = string(message)
	}
	var s sighting
	if err := json.Unmarshal(message, &s); err != nil {
		v.lie("a frame that is no JSON: %s", message)
		return
	}
	v.note(&s, now)
	if s.Type == "welcome" {
		for _, w := range v.watches {
			w.connected()
		}
		return
	}
	w := v.watches[s.Topic]
	if w == nil {
		if s.Topic != "" {
			v.lie("a frame of a topic that was not asked for: %s", message)
		}
		return
	}
	lies := len(w.broken)
	numbers, of, fresh := w.take(&s, now)
	if len(w.broken) > lies {
		v.lie("at %s", message)
	}
	v.count(s.Topic, numbers, of, fresh, now)
}

// note remembers when frames of a type came first since Begin.
func (v *viewer) note(s *sighting, now time.Time) {
	kind := s.Type
	if kind == "store" {
		kind += ":" + s.State
	}
	began := since(&v.o.began)
	if v.told[kind].Before(began) || v.told[kind].IsZero() {
		v.told[kind] = now
	}
	if s.Type == "stale" && v.stale[s.Topic].Before(began) {
		v.stale[s.Topic] = now
	}
}

func (v *viewer) count(topic string, numbers []int64, of int64, fresh bool, now time.Time) {
	o := v.o
	o.tally.deliveries.Add(of)
	o.tally.conflated.Add(of - int64(len(numbers)))
	if len(numbers) == 0 {
		return
	}
	l := o.ledgerOf(topic)
	first, last, ok := l.sentAt(numbers[len(numbers)-1])
	if !ok {
		v.lie("%d of %s was never sent", numbers[len(numbers)-1], topic)
		return
	}
	if last.After(now) {
		last = first // an attempt whose answer was lost had stored it
	}
	if fresh && v.rate == 0 && !v.hides {
		o.phases[o.phase(first)].Add(now.Sub(last))
	}
	if healed := since(&o.healed); !healed.IsZero() && !last.Before(healed) && v.news[topic].Before(healed) {
		v.news[topic] = now
	}
}

func (o *Oracle) ledgerOf(topic string) *ledger {
	for _, l := range o.ledgers {
		if string(l.topic) == topic {
			return l
		}
	}
	return nil
}

// leave notes where every topic is when a connection ends.
func (v *viewer) leave(now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, w := range v.watches {
		w.place(now)
		w.connected()
		w.live = false
	}
}

// isWatching reports whether the connection has begun every topic.
func (v *viewer) isWatching() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, w := range v.watches {
		if !w.live || w.turning {
			return false
		}
	}
	return true
}

// cursors are what to go on after.
func (v *viewer) cursors() map[string]string {
	v.mu.Lock()
	defer v.mu.Unlock()
	after := map[string]string{}
	for topic, w := range v.watches {
		if w.text != "" {
			after[topic] = w.text
		}
	}
	return after
}

// first returns when a frame of a type came first since Begin.
func (v *viewer) first(kind string) (time.Time, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	at, ok := v.told[kind]
	return at, ok
}

// lie is called with v.mu held.
func (v *viewer) lie(format string, args ...any) {
	for _, w := range v.watches {
		w.lie("viewer %d (%s): %s", v.number, v.transport, fmt.Sprintf(format, args...))
		return
	}
}

// subscription is what a viewer asks for, on every transport.
func (v *viewer) subscription() []byte {
	want := map[string]any{"type": "subscribe", "id": 1, "topics": v.topics, "after": v.cursors(), "window": "5m", "points": 600}
	if v.rate > 0 {
		want["rate"] = v.rate
	}
	if v.transport != "websocket" {
		delete(want, "type")
	}
	b, _ := json.Marshal(want)
	return b
}

// channel is one way to get frames: a socket, an event stream, or polls.
type channel interface {
	next(ctx context.Context) ([]byte, error)
	close()
}

var errEnded = errors.New("the server ended the connection")

func (v *viewer) open(ctx context.Context) (channel, error) {
	s := v.o.run.Viewing[v.choose.IntN(len(v.o.run.Viewing))]
	client := s.Client
	if v.o.client != nil {
		client = v.o.client
	}
	switch v.transport {
	case "websocket":
		return openSocket(ctx, client, s.URL, v)
	case "sse":
		return openStream(ctx, client, s.URL, v)
	default:
		return &polls{client: client, url: s.URL, v: v}, nil
	}
}
