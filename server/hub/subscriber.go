package hub

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"readout/server/reading"
)

// Bounds of what waits for one subscriber. Above them its flows fall behind and
// are caught up in one conflated message when it has read what it was sent.
const (
	queueFrames = 256
	queueBytes  = 64 << 10
	ackStall    = 5 * time.Second // no ack for this long with queueBytes unacked closes
	mostFresh   = 10_000          // new topics by name; of more it learns by a look through the catalog
)

// Closed says why a subscriber ended: a close code of PROMISES 2.3 and, when it
// may come back, after which time.
type Closed struct {
	Code   int
	Reason string
	Retry  time.Duration
}

func (c *Closed) Error() string { return fmt.Sprintf("closed with %d: %s", c.Code, c.Reason) }

// Subscriber is one open dashboard socket, or SSE. Its owner calls Next in a
// loop, writes what it gets, and calls Leave in the end.
type Subscriber struct {
	hub  *Hub
	can  func(reading.Topic) error
	ctx  context.Context // ends with Leave or with the hub
	stop context.CancelFunc
	wake chan struct{} // holds one token when there is something for Next
	room chan struct{} // holds one token when there may be room again

	selecting atomic.Bool // it has a selector that may grow

	requests      sync.Mutex // held while a request is handled; taken before every other lock; guards:
	flows         map[reading.Topic]*flow
	subscriptions map[int64]*subscription

	mu       sync.Mutex // guards the fields below
	queue    [][]byte
	queued   int // bytes in queue
	named    int // of these, names of topics above the limit
	behind   map[*flow]struct{}
	joins    []*flow
	joining  bool // a goroutine runs joins
	shuffled bool // joins are begun in any order
	fresh    map[reading.Topic]struct{}
	missed   bool           // fresh was full, and is empty since
	growing  bool           // a goroutine runs fresh
	runs     sync.WaitGroup // these goroutines; they start only while finished is nil
	paused   bool
	lagging  bool // it was told that it does not keep up
	acks     bool // it acks; until the first ack only the queue counts
	sent     int64
	acked    int64
	stalled  time.Time // since when too much is unacked; zero when it is not
	finished *Closed
	follows  map[int64]string  // dashboards by subscription
	store    []byte            // the frame of how the store is, until it is told
	changed  map[string]string // versions of those of them that have changed and were not told yet
}

// Join adds a subscriber. can says whether it may view a topic.
func (h *Hub) Join(can func(reading.Topic) error) *Subscriber {
	s := &Subscriber{
		hub: h, can: can, wake: make(chan struct{}, 1), room: make(chan struct{}, 1),
		flows: map[reading.Topic]*flow{}, subscriptions: map[int64]*subscription{}, behind: map[*flow]struct{}{},
		fresh: map[reading.Topic]struct{}{},
	}
	s.ctx, s.stop = context.WithCancel(h.ctx)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		s.Close(Closed{Code: 1012, Reason: "restarting", Retry: time.Second})
	}
	h.subscribers[s] = struct{}{}
	if h.store.Code != "" {
		s.storeChanged(storeIs(h.store))
	}
	return s
}

// Leave removes the subscriber and releases its streamers.
func (s *Subscriber) Leave() {
	s.stop()
	s.Close(Closed{Code: 1000})
	s.hub.mu.Lock()
	delete(s.hub.subscribers, s)
	s.hub.mu.Unlock()
	s.requests.Lock()
	for topic := range s.flows {
		s.drop(topic)
	}
	s.requests.Unlock()
	s.runs.Wait()
}

// Send queues a frame of the owner's, such as an answer to a bad message.
func (s *Subscriber) Send(frame []byte) { s.push(frame) }

// Close ends the subscriber: Next hands out what is queued and then returns c.
// The first call wins.
func (s *Subscriber) Close(c Closed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.finished == nil {
		s.finished = &c
		signal(s.wake)
		signal(s.room)
	}
}

// fail ends the subscription after something panicked.
func (s *Subscriber) fail() { s.Close(Closed{Code: 1011, Reason: "a mistake of this server"}) }

// Next waits for frames and returns all that are queued. Asking for the next
// ones says that the earlier ones are written. The error is the context's or a *Closed.
func (s *Subscriber) Next(ctx context.Context) ([][]byte, error) {
	for {
		frames, late, err := s.take()
		if len(frames) > 0 || err != nil {
			return frames, err
		}
		for _, f := range late {
			f.goOn()
		}
		if len(late) > 0 {
			continue
		}
		if err := s.wait(ctx); err != nil {
			return nil, err
		}
	}
}

// take returns what is queued; if nothing is, the flows that are behind and may go on.
func (s *Subscriber) take() (frames [][]byte, late []*flow, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for slug, version := range s.changed {
		s.enqueue(dashboard(slug, version))
	}
	clear(s.changed)
	if s.store != nil {
		s.enqueue(s.store)
		s.store = nil
	}
	if len(s.queue) > 0 {
		frames = s.queue
		s.sent += int64(s.queued)
		s.hub.counters.frames.Add(int64(len(frames)))
		s.hub.counters.bytes.Add(int64(s.queued))
		s.queue, s.queued, s.named = nil, 0, 0
		s.measureAcks()
		signal(s.room)
		return frames, nil, nil
	}
	if s.finished != nil {
		return nil, nil, s.finished
	}
	if !s.blocked() {
		s.lagging = false
		for f := range s.behind {
			late = append(late, f)
		}
		clear(s.behind)
	}
	return nil, late, nil
}

// wait returns when there is something to do; with too much unacked for too long it closes.
func (s *Subscriber) wait(ctx context.Context) error {
	var stall <-chan time.Time
	s.mu.Lock()
	if !s.stalled.IsZero() {
		timer := time.NewTimer(time.Until(s.stalled.Add(ackStall)))
		defer timer.Stop()
		stall = timer.C
	}
	s.mu.Unlock()
	select {
	case <-s.wake:
	case <-stall:
		s.mu.Lock()
		over := !s.stalled.IsZero() && time.Since(s.stalled) >= ackStall
		s.mu.Unlock()
		if over {
			s.hub.counters.slowed.Add(1)
			s.Close(Closed{Code: 4009, Reason: "too slow: nothing acked for 5 s"})
		}
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// Ack says that the viewer has received so many bytes of frames in all.
func (s *Subscriber) Ack(bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acks = true
	if bytes > s.acked && bytes <= s.sent {
		s.acked = bytes
		s.stalled = time.Time{}
	}
	s.measureAcks()
	signal(s.wake)
	signal(s.room)
}

// measureAcks notes since when too much is unacked. The caller holds s.mu.
func (s *Subscriber) measureAcks() {
	switch {
	case !s.acks || s.sent-s.acked <= queueBytes:
		s.stalled = time.Time{}
	case s.stalled.IsZero():
		s.stalled = time.Now()
	}
}

// Pause stops readings until Resume; what comes meanwhile is conflated then.
func (s *Subscriber) Pause() { s.setPaused(true) }

// Resume ends a Pause.
func (s *Subscriber) Resume() { s.setPaused(false) }

func (s *Subscriber) setPaused(paused bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.paused = paused
	signal(s.wake)
	signal(s.room)
}

// blocked says that no readings may be queued now. The caller holds s.mu.
func (s *Subscriber) blocked() bool { return s.paused || !s.stalled.IsZero() }

// offer queues a frame of readings if there is room. To a subscriber that has
// ended every frame is welcome and goes nowhere.
func (s *Subscriber) offer(frame []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.finished != nil {
		return true
	}
	full := len(s.queue) >= queueFrames || len(s.queue) > 0 && s.queued+len(frame) > queueBytes
	if full || s.blocked() {
		if !s.lagging && !s.paused {
			s.lagging = true
			s.enqueue(lag(s.queued))
		}
		return false
	}
	s.enqueue(frame)
	return true
}

// push queues a frame whatever is queued: those that must not get lost and that
// the subscriber's own requests bound.
func (s *Subscriber) push(frame []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.finished == nil {
		s.enqueue(frame)
	}
}

func (s *Subscriber) enqueue(frame []byte) {
	s.queue = append(s.queue, frame)
	s.queued += len(frame)
	signal(s.wake)
}

// left notes a flow that is behind.
func (s *Subscriber) left(f *flow) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.behind[f] = struct{}{}
	signal(s.wake)
}

// join hands a flow to the joining goroutine, which ends when it has no more.
func (s *Subscriber) join(f *flow) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.joins = append(s.joins, f)
	if !s.joining && s.finished == nil {
		s.joining = true
		s.runs.Go(s.runJoins)
	}
}

// Shuffle has the topics begin in any order. One who leaves before all have begun
// and comes back, as polls do, would else be told of the same ones for ever.
func (s *Subscriber) Shuffle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shuffled = true
}

// runJoins begins flows one after the other, each once the queue has room: a
// thousand snapshots must not wait in memory for a slow reader.
func (s *Subscriber) runJoins() {
	defer s.caught()
	for s.awaitRoom() {
		s.mu.Lock()
		if len(s.joins) == 0 {
			s.joining = false
			s.mu.Unlock()
			return
		}
		if s.shuffled {
			at := rand.IntN(len(s.joins))
			s.joins[0], s.joins[at] = s.joins[at], s.joins[0]
		}
		f := s.joins[0]
		s.joins = s.joins[1:]
		s.mu.Unlock()
		f.begin()
	}
}

// appeared notes a topic that selectors may pick, and returns at once: whoever
// stores the topic's first reading must not wait for a subscriber's requests.
func (s *Subscriber) appeared(topic reading.Topic) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.finished != nil || s.missed {
		return
	}
	s.fresh[topic] = struct{}{}
	if len(s.fresh) > mostFresh {
		s.fresh, s.missed = map[reading.Topic]struct{}{}, true
	}
	if !s.growing {
		s.growing = true
		s.runs.Go(s.runGrowth)
	}
}

func (s *Subscriber) runGrowth() {
	defer s.caught()
	for s.awaitRoom() {
		s.mu.Lock()
		fresh, missed := s.fresh, s.missed
		s.fresh, s.missed = map[reading.Topic]struct{}{}, false
		s.growing = missed || len(fresh) > 0
		growing := s.growing
		s.mu.Unlock()
		if !growing {
			return
		}
		if missed {
			s.grow(s.hub.o.Topics(func(reading.Topic) bool { return true })...)
		}
		for topic := range fresh {
			if !s.awaitRoom() {
				return
			}
			s.grow(topic)
		}
	}
}

// caught ends a subscriber in whose goroutine something panicked, and it alone.
func (s *Subscriber) caught() {
	if p := recover(); p != nil {
		s.hub.counters.panics.Add(1)
		s.hub.o.Logger.Error("panic in a subscriber", "panic", p, "stack", string(debug.Stack()))
		s.fail()
	}
}

// awaitRoom waits until more may be queued, in the goroutines that begin flows and
// add topics. It is false when the subscriber has ended.
func (s *Subscriber) awaitRoom() bool {
	for {
		s.mu.Lock()
		ended := s.finished != nil
		room := s.queued < queueBytes && s.stalled.IsZero() // a paused one is still told where it begins
		s.mu.Unlock()
		if ended || room {
			signal(s.room) // the other one may wait too
			return !ended
		}
		select {
		case <-s.room:
		case <-s.ctx.Done():
			return false
		}
	}
}

// signal leaves a token unless one is there.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
