package servertest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"readout/server/reading"
	"readout/server/store"
)

// Run is one run of the oracle: who is asked, and where the truth is.
type Run struct {
	Fault   string      // names the run and its topics
	Seed    uint64      // of every choice; 0 for READOUT_FAULTS_SEED or a random one
	Servers []*Server   // pushes and viewers take turns; a viewer resumes on any of them
	Viewing []*Server   // where viewers go instead; nil for Servers
	Truth   string      // URL of the store itself, past every fault proxy
	Through *FaultProxy // before Viewing[0]: viewers come through it; nil for straight
	Load    Load
}

// Load is who pushes and who watches.
type Load struct {
	Topics     int           // each has one writer, which pushes 1, 2, 3, ...
	Rate       float64       // pushes a second for each topic; 0 for those of Push only
	Batch      int           // readings in a push; 0 for one
	Keys       Keys          // which topics push with an Idempotency-Key
	Ack        string        // the Readout-Ack of every push; empty for none
	Viewers    int           // each watches Each topics
	Each       int           //
	Churn      time.Duration // a viewer cuts its connection after about so long and resumes; 0 for never
	Transports []string      // viewers take turns; nil for websocket, sse, poll
}

// Keys says which topics push with an Idempotency-Key and repeat what failed.
// The others push once.
type Keys uint8

// The choices of keys.
const (
	EveryOther Keys = iota
	AllKeys
	NoKeys
)

// Oracle proves what Readout says about every reading: writers push counters,
// viewers follow them on every transport and resume by cursor as a page does, and
// in the end each frame is held against what was acknowledged and what is stored.
// It remembers where each viewer is and what is yet to be proved, not every frame.
type Oracle struct {
	tb      testing.TB
	run     Run
	ledgers []*ledger
	viewers []*viewer
	client  *http.Client // of viewers that come through the proxy

	writing, watching context.Context
	stopWriting       context.CancelFunc
	stopWatching      context.CancelFunc
	writers, readers  sync.WaitGroup
	gate              sync.RWMutex // writers hold it for reading while they push

	began, healed atomic.Int64 // unix nanoseconds; 0 for not yet
	ending        atomic.Bool

	tally    tally
	phases   [3]Times // push sent to frame received
	answers  [3]Times
	refusals [3]Times
	resumes  Times
	memory   memory
}

// tally is what is counted as it happens.
type tally struct {
	deliveries, conflated atomic.Int64

	mu     sync.Mutex // guards the fields below
	bad    map[int]int
	mute   int // answers of 503 without Retry-After
	closed int
	ends   []string // why the first of these were closed
}

// end notes a connection that its viewer did not end.
func (t *tally) end(why string) {
	const most = 20
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed++
	if len(t.ends) < most {
		t.ends = append(t.ends, why)
	}
}

// NewOracle makes the oracle of one run. It ends with the test.
func NewOracle(tb testing.TB, r Run) *Oracle {
	tb.Helper()
	if r.Seed == 0 {
		r.Seed, _ = strconv.ParseUint(os.Getenv("READOUT_FAULTS_SEED"), 10, 64)
	}
	if r.Seed == 0 {
		r.Seed = uint64(rand.Uint32())
	}
	if r.Viewing == nil {
		r.Viewing = r.Servers
	}
	if r.Load.Transports == nil {
		r.Load.Transports = []string{"websocket", "sse", "poll"}
	}
	r.Load.Batch = max(r.Load.Batch, 1)
	o := &Oracle{tb: tb, run: r}
	o.tally.bad = map[int]int{}
	o.writing, o.stopWriting = context.WithCancel(context.Background())
	o.watching, o.stopWatching = context.WithCancel(context.Background())
	for i := range r.Load.Topics {
		topic, err := reading.ParseTopic(fmt.Sprintf("oracle{n=\"%d\",run=%q}", i, r.Fault))
		if err != nil {
			tb.Fatal(err)
		}
		o.ledgers = append(o.ledgers, &ledger{topic: topic, batch: int64(r.Load.Batch)})
	}
	if r.Through != nil {
		address := r.Through.Addr()
		o.client = &http.Client{Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				var d net.Dialer
				return d.DialContext(ctx, "tcp", address)
			},
		}}
	}
	for i := range r.Load.Viewers {
		o.viewers = append(o.viewers, o.newViewer(i))
	}
	tb.Cleanup(o.stop)
	return o
}

// Seed returns the seed of the run's choices.
func (o *Oracle) Seed() uint64 { return o.run.Seed }

// Topic returns the name of a topic.
func (o *Oracle) Topic(i int) string { return string(o.ledgers[i].topic) }

// Key returns the key of a topic's stream.
func (o *Oracle) Key(i int) string { return store.Key(o.ledgers[i].topic) }

// Start starts writers and viewers and returns when every viewer has its first
// message of each of its topics.
func (o *Oracle) Start() {
	o.tb.Helper()
	o.memory.start()
	for i := range o.ledgers {
		if o.run.Load.Rate > 0 {
			o.writers.Go(func() { o.write(i) })
		}
	}
	for _, v := range o.viewers {
		o.readers.Go(v.watchAll)
	}
	o.Eventually(2*time.Minute, "every viewer had its topics", func() bool {
		for _, v := range o.viewers {
			if !v.begun.Load() {
				return false
			}
		}
		return true
	})
}

// AllLive reports whether every viewer is connected and has begun, or gone on
// with, each of its topics.
func (o *Oracle) AllLive() bool {
	for _, v := range o.viewers {
		if !v.isWatching() {
			return false
		}
	}
	return true
}

// NoneLive reports whether no viewer is.
func (o *Oracle) NoneLive() bool {
	for _, v := range o.viewers {
		if v.isWatching() {
			return false
		}
	}
	return true
}

// For lets the run go on for a while.
func (o *Oracle) For(d time.Duration) {
	o.tb.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-o.tb.Context().Done():
		o.tb.Fatal("the test ended first")
	}
}

// Begin says that the fault begins.
func (o *Oracle) Begin() {
	o.memory.mark()
	o.healed.Store(0)
	o.began.Store(time.Now().UnixNano())
}

// Heal says that the fault is over: recovery is measured from now.
func (o *Oracle) Heal() { o.healed.Store(time.Now().UnixNano()) }

// Losing runs something that takes readings of some topics away, of all when none
// is named: what was acknowledged before may be gone afterwards, and each viewer
// may be told a reset for it, once.
func (o *Oracle) Losing(fault func(), topics ...int) {
	from := time.Now()
	hurt := o.ledgers
	if len(topics) > 0 {
		hurt = nil
		for _, i := range topics {
			hurt = append(hurt, o.ledgers[i])
		}
	}
	fault()
	for _, l := range hurt {
		l.lost(from, time.Now())
	}
}

// Eventually polls until something is so, and fails the test when it does not come.
func (o *Oracle) Eventually(within time.Duration, what string, is func() bool) {
	o.tb.Helper()
	if !o.until(within, is) {
		o.tb.Fatalf("%s, seed %d: not within %v: %s", o.run.Fault, o.run.Seed, within, what)
	}
}

func (o *Oracle) until(within time.Duration, is func() bool) bool {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(within); !is(); <-tick.C {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

// phase is 0 before the fault, 1 during it and 2 after it.
func (o *Oracle) phase(at time.Time) int {
	began, healed := o.began.Load(), o.healed.Load()
	switch {
	case began == 0 || at.UnixNano() < began:
		return 0
	case healed == 0 || at.UnixNano() < healed:
		return 1
	}
	return 2
}

// since is a time of an atomic; the zero time for 0.
func since(ns *atomic.Int64) time.Time {
	if n := ns.Load(); n != 0 {
		return time.Unix(0, n)
	}
	return time.Time{}
}

// Told returns how long after Begin each viewer got its first frame of a type
// (stale, reset, gap, drain, ...; store:away and so on for the frame store), for
// those that got one.
func (o *Oracle) Told(kind string) []time.Duration {
	began := since(&o.began)
	var after []time.Duration
	for _, v := range o.viewers {
		if at, ok := v.first(kind); ok && !at.Before(began) {
			after = append(after, at.Sub(began))
		}
	}
	return after
}

// Deliveries returns how many readings viewers got so far.
func (o *Oracle) Deliveries() int64 { return o.tally.deliveries.Load() }

// Closed returns how many connections of viewers ended so far without their will.
func (o *Oracle) Closed() int {
	o.tally.mu.Lock()
	defer o.tally.mu.Unlock()
	return o.tally.closed
}

func (o *Oracle) stop() {
	o.ending.Store(true)
	o.stopWriting()
	o.stopWatching()
	o.writers.Wait()
	o.readers.Wait()
	o.memory.stop()
	if o.client != nil {
		o.client.CloseIdleConnections()
	}
}
