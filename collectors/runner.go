package collectors

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"readout/server/reading"
)

// Bounds of a Runner that nobody needs to set.
const (
	leastTimeout   = time.Second      // of one collection, however short the interval
	mostTimeout    = 10 * time.Second // of one collection, however long the interval
	mostJitter     = 5 * time.Second  // of the first collection
	panicBackoff   = time.Second      // after the first panic in a row; doubles
	mostBackoff    = time.Minute      // after many panics in a row
	abandonedAfter = 2 * time.Second  // how long Stop waits for a collection that ignores its context
)

// RunnerOptions are the settings of a Runner. The zero value is good.
type RunnerOptions struct {
	// Host is the label host of the self readings; empty for this machine's name.
	Host string
	// Interval, if above 0, replaces the interval of every collector.
	Interval time.Duration
	// Timeout ends a collection, and an Append to the sink. 0 means the
	// collector's interval, but at least 1 s and at most 10 s.
	Timeout time.Duration
	// Jitter picks when after Start a collector begins, from 0 to most, so that
	// a thousand machines started together do not push together. nil picks at random.
	Jitter func(most time.Duration) time.Duration
	// Log gets the first failure in a row and every change; nil for slog.Default.
	Log *slog.Logger
}

// Runner calls each collector on its schedule and appends what it collects to
// the sink, together with one self reading per collection:
// readout_collector{collector="cpu",host="..."} with duration_ms, success and
// readings.
//
// A collector has slots, interval apart and counted from its jittered begin on
// the monotonic clock, so they never drift. Collections of one collector never
// overlap: one that takes longer than its interval misses slots, which are not
// made up for. One that does not return after its timeout is reported at once
// and then in every slot it blocks. A panic is recovered and counted; the
// collector goes on after a backoff of 1 s to 1 min.
type Runner struct {
	sink   Sink
	log    *slog.Logger
	jobs   []*job
	cancel context.CancelFunc
	wait   sync.WaitGroup // one per job, ended by cancel
}

// Stats counts what one collector did since Start.
type Stats struct {
	Collector   string
	Collections int64 // begun
	Failures    int64 // ended in an error, a timeout or a panic
	Timeouts    int64 // of the failures
	Panics      int64 // of the failures
	Missed      int64 // slots without a collection: the one before still ran, or the backoff of a panic
	Lost        int64 // readings that the sink refused
}

// job is one collector and its state. Only its own goroutine uses the fields
// from health on; Stats copies stats under mu.
type job struct {
	collector Collector
	interval  time.Duration
	timeout   time.Duration
	jitter    time.Duration
	self      reading.Topic

	health state // of collections, for the log
	sink   state // of Append, for the log
	units  state // of describing, for the log
	panics int   // in a row

	mu    sync.Mutex // protects stats and known
	stats Stats
	known map[reading.Topic][]string // topics and their columns, described or at least asked about
}

// outcome is the end of one collection.
type outcome struct {
	readings []reading.Reading
	err      error
	took     time.Duration
}

// NewRunner makes a Runner that does nothing before Start. It fails when two
// collectors have the same name or one has no interval.
func NewRunner(list []Collector, sink Sink, o RunnerOptions) (*Runner, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Jitter == nil {
		o.Jitter = func(most time.Duration) time.Duration { return rand.N(most + 1) }
	}
	r := &Runner{sink: sink, log: o.Log, cancel: func() {}}
	for _, c := range list {
		if slices.ContainsFunc(r.jobs, func(j *job) bool { return j.collector.Name() == c.Name() }) {
			return nil, fmt.Errorf("two collectors are named %s", c.Name())
		}
		j := &job{collector: c, interval: c.Interval(), timeout: o.Timeout, stats: Stats{Collector: c.Name()}}
		if o.Interval > 0 {
			j.interval = o.Interval
		}
		if j.interval <= 0 {
			return nil, fmt.Errorf("the collector %s has no interval", c.Name())
		}
		if j.timeout <= 0 {
			j.timeout = min(max(j.interval, leastTimeout), mostTimeout)
		}
		var err error
		if j.self, err = selfTopic(c, o.Host); err != nil {
			return nil, err
		}
		j.learn(c.Describe(), nil)
		j.jitter = o.Jitter(min(j.interval, mostJitter))
		r.jobs = append(r.jobs, j)
	}
	return r, nil
}

// Start begins to collect, one goroutine per collector, until ctx ends or Stop
// is called. It is called once.
func (r *Runner) Start(ctx context.Context) {
	ctx, r.cancel = context.WithCancel(ctx)
	for _, j := range r.jobs {
		r.wait.Go(func() { r.run(ctx, j) })
	}
}

// Wait returns when every collector has stopped after the end of Start's
// context. Collections under way have 2 s to notice; one that ignores its
// context is left behind, with a line in the log.
func (r *Runner) Wait() { r.wait.Wait() }

// Stop ends all collectors and waits as Wait does. It may be called again, and
// without Start.
func (r *Runner) Stop() {
	r.cancel()
	r.wait.Wait()
}

// Stats returns the counts of every collector, in the order given to NewRunner.
func (r *Runner) Stats() []Stats {
	all := make([]Stats, len(r.jobs))
	for i, j := range r.jobs {
		j.mu.Lock()
		all[i] = j.stats
		j.mu.Unlock()
	}
	return all
}

func (j *job) count(change func(*Stats)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	change(&j.stats)
}

// run is the life of one collector. Every slot lies at begin + n*interval.
func (r *Runner) run(ctx context.Context, j *job) {
	slot := time.Now().Add(j.jitter)
	timer := time.NewTimer(j.jitter)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		ended := r.collect(ctx, j, slot)
		if ctx.Err() != nil {
			return
		}
		earliest := time.Now()
		if j.panics > 0 {
			earliest = ended.Add(backoffAfterPanics(j.panics))
		}
		slot = j.nextSlot(slot, earliest)
		timer.Reset(time.Until(slot))
	}
}

// nextSlot returns the first slot after this one that is not before earliest,
// and counts those between as missed.
func (j *job) nextSlot(slot, earliest time.Time) time.Time {
	slots := int64(1)
	if late := earliest.Sub(slot); late > j.interval {
		slots = int64((late + j.interval - 1) / j.interval)
	}
	if slots > 1 {
		j.count(func(s *Stats) { s.Missed += slots - 1 })
	}
	return slot.Add(time.Duration(slots) * j.interval)
}

func backoffAfterPanics(inRow int) time.Duration {
	return min(panicBackoff<<min(inRow-1, 10), mostBackoff)
}

// collect runs one collection and appends its readings and the self reading. It
// returns the time when the collector came back.
func (r *Runner) collect(ctx context.Context, j *job, slot time.Time) time.Time {
	within, cancel := context.WithTimeout(ctx, j.timeout)
	defer cancel()
	j.count(func(s *Stats) { s.Collections++ })
	begin := time.Now()
	// A goroutine of its own, so that a collector that hangs cannot hide it. It
	// ends when the collector returns; its channel has room, so nobody must listen.
	back := make(chan outcome, 1)
	go func() {
		end := outcome{err: &panicError{value: "it ended its goroutine"}} // stands if runtime.Goexit skips the rest
		defer func() {
			end.took = time.Since(begin)
			back <- end
		}()
		end.err = guard(func() (err error) { end.readings, err = j.collector.Collect(within); return })
	}()

	var end outcome
	select {
	case end = <-back:
	case <-within.Done():
		select {
		case end = <-back: // it noticed the end itself, or came back at the same instant
		default:
			return r.overdue(ctx, j, slot, begin, back)
		}
	}
	if ctx.Err() != nil {
		return time.Now() // stopping; a failure now says nothing about the collector
	}
	if end.err != nil && within.Err() != nil {
		end.err = fmt.Errorf("no answer within %v: %w", j.timeout, end.err)
		j.count(func(s *Stats) { s.Timeouts++ })
	}
	r.report(ctx, j, end)
	return time.Now()
}

// overdue waits for a collection that did not return within its timeout, and
// says so once and then in every slot that it blocks. What it returns late is
// dropped: nobody knows which time it is about.
func (r *Runner) overdue(ctx context.Context, j *job, slot, begin time.Time, back <-chan outcome) time.Time {
	if ctx.Err() == nil {
		j.count(func(s *Stats) { s.Timeouts++ })
		r.report(ctx, j, outcome{err: fmt.Errorf("no answer within %v", j.timeout), took: time.Since(begin)})
	}
	for n := time.Since(slot)/j.interval + 1; ; n++ {
		timer := time.NewTimer(time.Until(slot.Add(n * j.interval)))
		select {
		case end := <-back:
			timer.Stop()
			r.notePanic(j, end.err)
			return time.Now()
		case <-timer.C:
			r.deliver(ctx, j, []reading.Reading{j.selfReading(outcome{err: context.DeadlineExceeded, took: time.Since(begin)})})
		case <-ctx.Done():
			timer.Stop()
			grace := time.NewTimer(abandonedAfter)
			defer grace.Stop()
			select {
			case <-back:
			case <-grace.C:
				r.log.Warn("collector does not stop; leaving it behind", "collector", j.collector.Name(), "running", time.Since(begin))
			}
			return time.Now()
		}
	}
}

// report counts, logs and appends one outcome.
func (r *Runner) report(ctx context.Context, j *job, end outcome) {
	if !r.notePanic(j, end.err) {
		j.panics = 0
	}
	name := slog.String("collector", j.collector.Name())
	if end.err != nil {
		end.readings = nil
		j.count(func(s *Stats) { s.Failures++ })
		var p *panicError
		switch {
		case !j.health.fails(kindOf(end.err)):
		case errors.As(end.err, &p):
			r.log.Error("collector panicked; it goes on after a pause", name, "err", end.err, "stack", p.stack)
		default:
			r.log.Warn("collector fails", name, "err", end.err)
		}
	} else if failed, since := j.health.works(); failed > 0 {
		r.log.Info("collector works again", name, "failures", failed, "after", time.Since(since).Round(time.Millisecond))
	}
	r.describe(ctx, j, end.readings)
	r.deliver(ctx, j, append(slices.Clip(end.readings), j.selfReading(end)))
}

// notePanic counts a panic, also one that comes after the timeout.
func (r *Runner) notePanic(j *job, err error) bool {
	var p *panicError
	if !errors.As(err, &p) {
		return false
	}
	j.panics++
	j.count(func(s *Stats) { s.Panics++ })
	return true
}

// deliver hands readings to the sink, bounded in time and safe from its panics.
// Readings that the sink refuses are lost: only the sink knows whether sending
// them again would double them.
func (r *Runner) deliver(ctx context.Context, j *job, readings []reading.Reading) {
	within, cancel := context.WithTimeout(ctx, j.timeout)
	defer cancel()
	err := guard(func() error { return r.sink.Append(within, readings) })
	name := slog.String("collector", j.collector.Name())
	if err != nil {
		if ctx.Err() != nil {
			return
		}
		j.count(func(s *Stats) { s.Lost += int64(len(readings)) })
		if j.sink.fails(kindOf(err)) {
			r.log.Warn("readings are lost: the sink does not take them", name, "err", err)
		}
	} else if failed, since := j.sink.works(); failed > 0 {
		r.log.Info("the sink takes readings again", name, "failures", failed, "after", time.Since(since).Round(time.Millisecond))
	}
}

func (j *job) selfReading(end outcome) reading.Reading {
	return reading.Reading{Topic: j.self, Time: time.Now().UnixMilli(), Values: []reading.Named{
		{Name: "duration_ms", Value: reading.NumberOf(float64(end.took.Microseconds()) / 1000)},
		{Name: "success", Value: reading.BoolOf(end.err == nil)},
		{Name: "readings", Value: reading.NumberOf(float64(len(end.readings)))},
	}}
}

// state remembers whether something works, so that the log gets one line for
// each change and not one for each failure.
type state struct {
	kind  string // of the failure; empty while it works
	count int    // failures in a row
	since time.Time
}

// fails notes a failure and reports whether it is news: the first in a row, or
// of another kind than the one before.
func (s *state) fails(kind string) (news bool) {
	if s.count == 0 {
		s.since = time.Now()
	}
	s.count++
	news = s.kind != kind
	s.kind = kind
	return news
}

// works notes a success and returns how many failures it ended, and since when.
func (s *state) works() (failed int, since time.Time) {
	failed, since = s.count, s.since
	*s = state{}
	return failed, since
}

// kindOf sorts failures: an error whose text changes with every attempt must
// not look like news.
func kindOf(err error) string {
	var p *panicError
	switch {
	case errors.As(err, &p):
		return "panic"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	default:
		return "error"
	}
}

// panicError is a recovered panic.
type panicError struct {
	value any
	stack string
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// guard turns a panic of f into an error.
func guard(f func() error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = &panicError{value, string(debug.Stack())}
		}
	}()
	return f()
}
