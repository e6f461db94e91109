package collectors

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"readout/server/reading"
)

// scripted is a collector whose n-th collection (from 0) is a step of the test.
type scripted struct {
	name     string
	interval time.Duration
	step     func(ctx context.Context, n int) ([]reading.Reading, error)

	mu      sync.Mutex
	n       int
	running int
	overlap bool
	begun   []time.Duration // since the bubble's begin
}

func (s *scripted) Name() string            { return s.name }
func (s *scripted) Interval() time.Duration { return s.interval }
func (s *scripted) Describe() Description {
	return Description{reading.Topic(s.name): {{Name: "value", Unit: "ms", Kind: "gauge"}}}
}

func (s *scripted) Collect(ctx context.Context) ([]reading.Reading, error) {
	s.mu.Lock()
	n := s.n
	s.n++
	s.running++
	s.overlap = s.overlap || s.running > 1
	s.begun = append(s.begun, sinceBubble())
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.running--
		s.mu.Unlock()
	}()
	return s.step(ctx, n)
}

// sinceBubble is the time since a synctest bubble began.
func sinceBubble() time.Duration {
	return time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))
}

// one returns one reading of a topic, stamped now.
func one(topic string, value float64) []reading.Reading {
	return []reading.Reading{{Topic: reading.Topic(topic), Time: time.Now().UnixMilli(),
		Values: []reading.Named{{Name: "value", Value: reading.NumberOf(value)}}}}
}

func steady(_ context.Context, n int) ([]reading.Reading, error) {
	return one("steady", float64(n)), nil
}

// ledger is a Sink that remembers what came when.
type ledger struct {
	mu    sync.Mutex
	lines []string
	fail  func(n int) error // n-th Append, from 0
	calls int
}

func (l *ledger) Append(_ context.Context, readings []reading.Reading) error {
	l.mu.Lock()
	n := l.calls
	l.calls++
	l.mu.Unlock()
	if l.fail != nil {
		if err := l.fail(n); err != nil {
			return err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var parts []string
	for _, r := range readings {
		if err := r.Validate(time.Now(), time.Time{}); err != nil {
			return err
		}
		parts = append(parts, r.Topic.Name()+valuesOf(r))
	}
	l.lines = append(l.lines, fmt.Sprintf("%v %s", sinceBubble(), strings.Join(parts, " ")))
	return nil
}

func (l *ledger) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := l.lines
	l.lines = nil
	return lines
}

func valuesOf(r reading.Reading) string {
	var parts []string
	for _, v := range r.Values {
		parts = append(parts, v.Name+"="+v.Value.String())
	}
	return "{" + strings.Join(parts, " ") + "}"
}

// logBook collects log lines.
type logBook struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBook) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == "stack" {
			return slog.Attr{}
		}
		return a
	}}))
}

func (l *logBook) lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(strings.SplitSeq(strings.TrimSpace(l.b.String()), "\n"))
}

func newRunner(t *testing.T, sink Sink, book *logBook, list ...Collector) *Runner {
	t.Helper()
	if book == nil {
		book = &logBook{}
	}
	r, err := NewRunner(list, sink, RunnerOptions{
		Host:   "web1",
		Log:    book.logger(),
		Jitter: func(most time.Duration) time.Duration { return most / 4 },
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func equalLines(t *testing.T, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func TestRunnerKeepsItsSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := &ledger{}
		// The second collection takes 300 ms: the third is not later for it.
		c := &scripted{name: "steady", interval: time.Second, step: func(ctx context.Context, n int) ([]reading.Reading, error) {
			if n == 1 {
				time.Sleep(300 * time.Millisecond)
			}
			return steady(ctx, n)
		}}
		r := newRunner(t, sink, nil, c)
		r.Start(t.Context())
		time.Sleep(3*time.Second + 500*time.Millisecond)
		r.Stop()
		equalLines(t, sink.take(), []string{
			"250ms steady{value=0} readout_collector{duration_ms=0 success=true readings=1}",
			"1.55s steady{value=1} readout_collector{duration_ms=300 success=true readings=1}",
			"2.25s steady{value=2} readout_collector{duration_ms=0 success=true readings=1}",
			"3.25s steady{value=3} readout_collector{duration_ms=0 success=true readings=1}",
		})
		time.Sleep(time.Minute)
		if late := sink.take(); late != nil {
			t.Errorf("after Stop: %q", late)
		}
		if got, want := r.Stats()[0], (Stats{Collector: "steady", Collections: 4}); got != want {
			t.Errorf("stats %+v, want %+v", got, want)
		}
		r.Stop() // again does no harm
	})
}

// A collector that is slower than its interval but within its timeout misses
// slots, never overlaps itself and never falls out of step.
func TestRunnerMissesSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := &ledger{}
		c := &scripted{name: "slow", interval: 200 * time.Millisecond, step: func(context.Context, int) ([]reading.Reading, error) {
			time.Sleep(500 * time.Millisecond)
			return nil, nil
		}}
		r := newRunner(t, sink, nil, c)
		r.Start(t.Context())
		time.Sleep(2 * time.Second)
		r.Stop()
		want := []time.Duration{50, 650, 1250, 1850} // milliseconds
		for i := range want {
			want[i] *= time.Millisecond
		}
		if !slices.Equal(c.begun, want) || c.overlap {
			t.Errorf("begun at %v (overlap %v), want %v", c.begun, c.overlap, want)
		}
		if s := r.Stats()[0]; s.Missed != 6 || s.Failures != 0 {
			t.Errorf("stats %+v, want 6 missed, no failures", s)
		}
	})
}

// A collector that ignores its context is reported at its timeout, then in
// every slot it blocks; meanwhile it is not called again and others go on.
func TestRunnerReportsAHangingCollector(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink, other, book := &ledger{}, &ledger{}, &logBook{}
		free := make(chan struct{})
		c := &scripted{name: "hangs", interval: time.Second, step: func(_ context.Context, n int) ([]reading.Reading, error) {
			if n == 1 {
				<-free
			}
			return one("hangs", float64(n)), nil
		}}
		r := newRunner(t, sink, book, c)
		r.Start(t.Context())
		healthy := newRunner(t, other, nil, &scripted{name: "steady", interval: time.Second, step: steady})
		healthy.Start(t.Context())
		time.Sleep(4*time.Second + 400*time.Millisecond)
		close(free)
		time.Sleep(2 * time.Second)
		r.Stop()
		healthy.Stop()
		equalLines(t, sink.take(), []string{
			"250ms hangs{value=0} readout_collector{duration_ms=0 success=true readings=1}",
			"2.25s readout_collector{duration_ms=1000 success=false readings=0}",
			"3.25s readout_collector{duration_ms=2000 success=false readings=0}",
			"4.25s readout_collector{duration_ms=3000 success=false readings=0}",
			"5.25s hangs{value=2} readout_collector{duration_ms=0 success=true readings=1}",
			"6.25s hangs{value=3} readout_collector{duration_ms=0 success=true readings=1}",
		})
		if got := len(other.take()); got != 7 {
			t.Errorf("the healthy collector collected %d times, want 7", got)
		}
		if c.overlap {
			t.Error("a collection began before the one before had ended")
		}
		if got, want := r.Stats()[0], (Stats{Collector: "hangs", Collections: 4, Failures: 1, Timeouts: 1, Missed: 3}); got != want {
			t.Errorf("stats %+v, want %+v", got, want)
		}
		equalLines(t, book.lines(), []string{
			`level=WARN msg="collector fails" collector=hangs err="no answer within 1s"`,
			`level=INFO msg="collector works again" collector=hangs failures=1 after=3s`,
		})
	})
}

// One that ends with its context fails with a timeout and keeps its next slot.
func TestRunnerTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := &ledger{}
		c := &scripted{name: "waits", interval: 3 * time.Second, step: func(ctx context.Context, _ int) ([]reading.Reading, error) {
			<-ctx.Done()
			return one("waits", 1), ctx.Err()
		}}
		r, err := NewRunner([]Collector{c}, sink, RunnerOptions{
			Host: "web1", Timeout: 700 * time.Millisecond, Log: (&logBook{}).logger(),
			Jitter: func(time.Duration) time.Duration { return 0 },
		})
		if err != nil {
			t.Fatal(err)
		}
		r.Start(t.Context())
		time.Sleep(4 * time.Second)
		r.Stop()
		equalLines(t, sink.take(), []string{
			"700ms readout_collector{duration_ms=700 success=false readings=0}",
			"3.7s readout_collector{duration_ms=700 success=false readings=0}",
		})
		if got := r.Stats()[0].Timeouts; got != 2 {
			t.Errorf("%d timeouts, want 2", got)
		}
	})
}

func TestRunnerSurvivesPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink, book := &ledger{}, &logBook{}
		c := &scripted{name: "panics", interval: time.Second, step: func(_ context.Context, n int) ([]reading.Reading, error) {
			switch n {
			case 0, 1:
				panic(fmt.Sprintf("boom %d", n))
			case 2:
				runtime.Goexit() // what t.FailNow does; it must not go unnoticed either
			}
			return one("panics", float64(n)), nil
		}}
		r := newRunner(t, sink, book, c)
		r.Start(t.Context())
		time.Sleep(9 * time.Second)
		r.Stop()
		// Pauses of 1, 2 and 4 s after panics in a row, each to the next slot; then as before.
		equalLines(t, sink.take(), []string{
			"250ms readout_collector{duration_ms=0 success=false readings=0}",
			"1.25s readout_collector{duration_ms=0 success=false readings=0}",
			"3.25s readout_collector{duration_ms=0 success=false readings=0}",
			"7.25s panics{value=3} readout_collector{duration_ms=0 success=true readings=1}",
			"8.25s panics{value=4} readout_collector{duration_ms=0 success=true readings=1}",
		})
		if got, want := r.Stats()[0], (Stats{Collector: "panics", Collections: 5, Failures: 3, Panics: 3, Missed: 4}); got != want {
			t.Errorf("stats %+v, want %+v", got, want)
		}
		equalLines(t, book.lines(), []string{
			`level=ERROR msg="collector panicked; it goes on after a pause" collector=panics err="panic: boom 0"`,
			`level=INFO msg="collector works again" collector=panics failures=3 after=7s`,
		})
	})
}

// P14: 1,000 panics leave a running process and no goroutine behind.
func TestRunnerThousandPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := runtime.NumGoroutine()
		list := make([]Collector, 10)
		for i := range list {
			list[i] = &scripted{name: fmt.Sprintf("panics%d", i), interval: time.Second,
				step: func(context.Context, int) ([]reading.Reading, error) { panic("boom") }}
		}
		r := newRunner(t, &ledger{}, nil, list...)
		r.Start(t.Context())
		time.Sleep(105 * time.Minute) // at most a minute apart
		r.Stop()
		panics := int64(0)
		for _, s := range r.Stats() {
			panics += s.Panics
		}
		if panics < 1000 {
			t.Errorf("%d panics, want 1,000", panics)
		}
		if after := runtime.NumGoroutine(); after > before+5 {
			t.Errorf("%d goroutines before, %d after", before, after)
		}
	})
}

func TestRunnerStopsCollectorsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink, book := &ledger{}, &logBook{}
		free := make(chan struct{})
		polite := &scripted{name: "polite", interval: 10 * time.Second, step: func(ctx context.Context, _ int) ([]reading.Reading, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}
		deaf := &scripted{name: "deaf", interval: 10 * time.Second, step: func(context.Context, int) ([]reading.Reading, error) {
			<-free
			return nil, nil
		}}
		r := newRunner(t, sink, book, polite, deaf)
		ctx, cancel := context.WithCancel(t.Context())
		r.Start(ctx)
		time.Sleep(3 * time.Second) // both have begun after 1.25 s
		cancel()
		r.Wait()
		if got := sinceBubble(); got != 5*time.Second {
			t.Errorf("stopped at %v, want 5s: 2 s after the end, for the deaf one", got)
		}
		if late := sink.take(); late != nil {
			t.Errorf("stopping is no failure to report: %q", late)
		}
		equalLines(t, book.lines(), []string{
			`level=WARN msg="collector does not stop; leaving it behind" collector=deaf running=3.75s`,
		})
		close(free) // or the bubble would say that a goroutine is left
	})
}

func TestRunnerSinkThatFailsOrPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		book := &logBook{}
		sink := &ledger{fail: func(n int) error {
			switch n {
			case 1, 2:
				return fmt.Errorf("no room %d", n)
			case 3:
				panic("sink")
			}
			return nil
		}}
		r := newRunner(t, sink, book, &scripted{name: "steady", interval: time.Second, step: steady})
		r.Start(t.Context())
		time.Sleep(5 * time.Second)
		r.Stop()
		equalLines(t, sink.take(), []string{
			"250ms steady{value=0} readout_collector{duration_ms=0 success=true readings=1}",
			"4.25s steady{value=4} readout_collector{duration_ms=0 success=true readings=1}",
		})
		if s := r.Stats()[0]; s.Lost != 6 || s.Failures != 0 {
			t.Errorf("stats %+v, want 6 lost readings and no failed collection", s)
		}
		equalLines(t, book.lines(), []string{
			`level=WARN msg="readings are lost: the sink does not take them" collector=steady err="no room 1"`,
			`level=WARN msg="readings are lost: the sink does not take them" collector=steady err="panic: sink"`,
			`level=INFO msg="the sink takes readings again" collector=steady failures=3 after=3s`,
		})
	})
}

// An hour of failures is one line, and its end another.
func TestRunnerDoesNotFloodTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		book := &logBook{}
		c := &scripted{name: "down", interval: time.Second, step: func(_ context.Context, n int) ([]reading.Reading, error) {
			if n < 3600 {
				return nil, fmt.Errorf("attempt %d refused", n)
			}
			return nil, nil
		}}
		r := newRunner(t, &ledger{}, book, c)
		r.Start(t.Context())
		time.Sleep(time.Hour + time.Minute)
		r.Stop()
		equalLines(t, book.lines(), []string{
			`level=WARN msg="collector fails" collector=down err="attempt 0 refused"`,
			`level=INFO msg="collector works again" collector=down failures=3600 after=1h0m0s`,
		})
	})
}

func TestRunnerOptions(t *testing.T) {
	c := &scripted{name: "c", interval: time.Minute, step: steady}
	var most []time.Duration
	r, err := NewRunner([]Collector{c}, &ledger{}, RunnerOptions{Host: "web1", Interval: 20 * time.Second,
		Jitter: func(d time.Duration) time.Duration { most = append(most, d); return 0 }})
	if err != nil {
		t.Fatal(err)
	}
	if j := r.jobs[0]; j.interval != 20*time.Second || j.timeout != 10*time.Second || most[0] != 5*time.Second {
		t.Errorf("interval %v, timeout %v, jitter up to %v; want 20s, 10s, 5s", j.interval, j.timeout, most[0])
	}
	described := Describe([]Collector{c}, "web1")
	if described["c"][0].Unit != "ms" || described[`readout_collector{collector="c",host="web1"}`][1].Kind != "state" {
		t.Errorf("described: %v", described)
	}
	r.Stop() // without Start
	if _, err := NewRunner([]Collector{c, c}, &ledger{}, RunnerOptions{}); err == nil {
		t.Error("two collectors of one name were taken")
	}
	if _, err := NewRunner([]Collector{&scripted{name: "c"}}, &ledger{}, RunnerOptions{}); err == nil {
		t.Error("a collector without an interval was taken")
	}
	if _, err := NewRunner([]Collector{c}, &ledger{}, RunnerOptions{Host: "\x00"}); err == nil {
		t.Error("a host that is no label was taken")
	}
}

func TestBackoffAfterPanics(t *testing.T) {
	for _, c := range []struct {
		inRow int
		want  time.Duration
	}{{1, time.Second}, {2, 2 * time.Second}, {6, 32 * time.Second}, {7, time.Minute}, {1000, time.Minute}} {
		if got := backoffAfterPanics(c.inRow); got != c.want {
			t.Errorf("after %d panics: %v, want %v", c.inRow, got, c.want)
		}
	}
	if !errors.Is(guard(func() error { return io.EOF }), io.EOF) {
		t.Error("guard changes an error")
	}
}
