// Package hub fans readings out: one streamer goroutine for each watched topic,
// any number of subscribers, every batch encoded once. It knows neither where
// readings come from nor how frames travel: it is given functions to read with,
// and subscribers are drained by whoever owns their connection.
//
//	Tail -> streamer (ring, encodes once) -> flow (chain, rate) -> Subscriber (bounded queue) -> Next
//
// Locks are taken in this order: Subscriber.requests, Hub.mu, streamer.mu, Subscriber.mu.
package hub

import (
	"context"
	"iter"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"readout/server/reading"
)

// Options are what a Hub reads with and its limits. The functions are required.
type Options struct {
	// Tail yields what follows a cursor until the context ends. An error means
	// that the store does not answer now; the iteration goes on.
	Tail func(ctx context.Context, topic reading.Topic, after reading.Cursor) iter.Seq2[[]reading.Entry, error]
	// Recent returns the newest entries, at most limit of them, whose readings'
	// own time is from (milliseconds) or later.
	Recent func(ctx context.Context, topic reading.Topic, from int64, limit int) (reading.History, error)
	// Resume returns how the stream continues after a cursor, at most limit entries.
	Resume func(ctx context.Context, topic reading.Topic, after reading.Cursor, limit int) (reading.Resumed, error)
	// Topics returns the known topics that match.
	Topics func(match func(reading.Topic) bool) []reading.Topic
	// Doubt is how many entries in one batch of Tail say that older ones may have
	// been trimmed before they were read; then Resume is asked. 0 is never.
	Doubt int
	// Columns returns what is known of a topic's columns: their units and kinds.
	Columns func(topic reading.Topic) []reading.Column

	// Dashboard returns the version of a dashboard, empty for one that is not known;
	// nil when there are none.
	Dashboard func(slug string) string

	Replica  string
	Linger   time.Duration // how long a streamer outlives its last subscriber; default 10 s
	Window   time.Duration // the longest window of a snapshot, the store's retention; default 1 h
	Limits   Limits
	Logger   *slog.Logger
	Observed func(delay time.Duration, readings int) // called for each batch: since it was stored
}

// Stats are the counters of a Hub since its start, but for the first two, which are now.
type Stats struct {
	Streamers, Subscribers          int64
	Frames, Bytes, Readings         int64 // handed to subscribers
	Conflated, Gaps, Resets, Slowed int64
	Panics                          int64 // mistakes of ours that ended one streamer or one subscriber

	Checks       int64 // anchor checks of streamers
	ChecksFailed int64 // of these: the store did not answer, which is no verdict
	Cleared      int64 // suspicions of a periodic check that a second look did not confirm
	Overtaken    int64 // streamers that began again because their stream was trimmed past the tail
	Replaced     int64 // streamers that began again because their stream was another one
}

type counters struct {
	frames, bytes, readings, conflated, gaps, resets, slowed, panics atomic.Int64
	checks, checksFailed, cleared, overtaken, replaced               atomic.Int64
}

// storeReads is how many reads of the store run at once. After it was away ten
// thousand streamers have the same wish.
const storeReads = 16

// Hub owns the streamers and the subscribers.
type Hub struct {
	o        Options
	ctx      context.Context // ends every streamer
	stop     context.CancelFunc
	running  sync.WaitGroup
	counters counters
	doubts   chan struct{} // holds one token when a streamer is to be checked before its time

	mu          sync.Mutex // guards the fields below, and of each streamer those that say so
	streamers   map[reading.Topic]*streamer
	checking    bool // keepChecking runs
	subscribers map[*Subscriber]struct{}
	closed      bool
	store       StoreState
}

// New returns a Hub. Close ends it.
func New(o Options) *Hub {
	if o.Linger == 0 {
		o.Linger = 10 * time.Second
	}
	if o.Window == 0 {
		o.Window = time.Hour
	}
	if o.Limits == (Limits{}) {
		o.Limits = Limits{Topics: 1000, Points: 2000, Message: 256 << 10}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	h := &Hub{o: o, doubts: make(chan struct{}, 1), streamers: map[reading.Topic]*streamer{}, subscribers: map[*Subscriber]struct{}{}}
	h.ctx, h.stop = context.WithCancel(context.Background())
	h.boundReads()
	return h
}

// boundReads puts a queue before the functions that read the store.
func (h *Hub) boundReads() {
	places := make(chan struct{}, storeReads)
	enter := func(ctx context.Context) error {
		select {
		case places <- struct{}{}:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	recent, resume := h.o.Recent, h.o.Resume
	h.o.Recent = func(ctx context.Context, topic reading.Topic, from int64, limit int) (reading.History, error) {
		if err := enter(ctx); err != nil {
			return reading.History{}, err
		}
		defer func() { <-places }()
		return recent(ctx, topic, from, limit)
	}
	h.o.Resume = func(ctx context.Context, topic reading.Topic, after reading.Cursor, limit int) (reading.Resumed, error) {
		if err := enter(ctx); err != nil {
			return reading.Resumed{}, err
		}
		defer func() { <-places }()
		return resume(ctx, topic, after, limit)
	}
}

// Limits returns what a subscriber may do.
func (h *Hub) Limits() Limits { return h.o.Limits }

// Stats returns the counters.
func (h *Hub) Stats() Stats {
	h.mu.Lock()
	streamers, subscribers := len(h.streamers), len(h.subscribers)
	h.mu.Unlock()
	c := &h.counters
	return Stats{
		Streamers: int64(streamers), Subscribers: int64(subscribers),
		Frames: c.frames.Load(), Bytes: c.bytes.Load(), Readings: c.readings.Load(),
		Conflated: c.conflated.Load(), Gaps: c.gaps.Load(), Resets: c.resets.Load(), Slowed: c.slowed.Load(), Panics: c.panics.Load(),
		Checks: c.checks.Load(), ChecksFailed: c.checksFailed.Load(), Cleared: c.cleared.Load(),
		Overtaken: c.overtaken.Load(), Replaced: c.replaced.Load(),
	}
}

// Close ends all streamers and closes all subscribers with code 1001.
func (h *Hub) Close() {
	h.mu.Lock()
	h.closed = true
	for s := range h.subscribers {
		s.Close(Closed{Code: 1001, Reason: "this replica has ended"})
	}
	h.stop()
	h.mu.Unlock()
	h.running.Wait()
}

// Drain tells every subscriber to come back within spread and closes it with
// code 1012; new ones are closed at once.
func (h *Hub) Drain(spread time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for s := range h.subscribers {
		retry := time.Duration(rand.Int64N(int64(spread) + 1))
		s.push(drain(retry))
		s.Close(Closed{Code: 1012, Reason: "restarting", Retry: retry})
	}
}

// TopicAdded tells the hub that a topic is new, so that selectors pick it up.
func (h *Hub) TopicAdded(topic reading.Topic) {
	h.mu.Lock()
	var selecting []*Subscriber
	for s := range h.subscribers {
		if s.selecting.Load() {
			selecting = append(selecting, s)
		}
	}
	h.mu.Unlock()
	for _, s := range selecting {
		s.appeared(topic)
	}
}

// TopicDescribed tells the hub that a topic's columns, units or kinds changed.
func (h *Hub) TopicDescribed(topic reading.Topic) {
	if st := h.streamer(topic); st != nil {
		st.mu.Lock()
		defer st.mu.Unlock()
		st.describe()
	}
}

// TopicDeleted tells the hub that a topic was deleted or has expired. Its viewers
// get a reset, unless they had one already because the streamer was faster.
func (h *Hub) TopicDeleted(topic reading.Topic) { h.doubt(topic) }

func (h *Hub) streamer(topic reading.Topic) *streamer {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.streamers[topic]
}

// watch returns the topic's streamer and holds it until release.
func (h *Hub) watch(topic reading.Topic) *streamer {
	h.mu.Lock()
	defer h.mu.Unlock()
	st := h.streamers[topic]
	if st == nil {
		st = newStreamer(h, topic)
		h.streamers[topic] = st
		st.next = time.Now().Add(jitter(oftenChecked))
		if h.ctx.Err() == nil {
			h.running.Go(st.run)
			if !h.checking {
				h.checking = true
				h.running.Go(h.keepChecking)
			}
		}
	}
	st.watchers++
	if st.linger != nil {
		st.linger.Stop()
		st.linger = nil
	}
	return st
}

// release gives a streamer up; without watchers it ends after the linger, so
// that a page that reloads finds it running and its ring full.
func (h *Hub) release(st *streamer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if st.watchers--; st.watchers > 0 || h.ctx.Err() != nil {
		return
	}
	st.linger = time.AfterFunc(h.o.Linger, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if st.watchers == 0 && h.streamers[st.topic] == st {
			delete(h.streamers, st.topic)
			st.stop()
		}
	})
}
