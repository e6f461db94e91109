package servertest

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"readout/server/reading"
	"readout/server/store"
)

const settleWithin = 20 * time.Second // for viewers to get all when the run is over

// Number is one reading: the number that was pushed to a topic.
type Number struct {
	Topic string
	N     int64
}

// Report is what a run found.
type Report struct {
	Fault string
	Store string // redis or embedded: what holds the truth
	Seed  uint64

	Acked, Refused, Unknown int64    // readings by what their senders were told at last
	Lost                    int      // acknowledged, and neither stored nor trimmed
	LostReadings            []Number // these
	MayLose                 int      // how many of these a Losing explains
	Duplicates              int      // stored twice
	SilentGaps              int      // readings that a viewer never got and was not told of
	FalseGaps               int      // gaps and resets that did not happen
	Violations              int      // broken chains and every other lie
	Gaps, Resets            int
	Deliveries, Conflated   int64    // readings that viewers got, and how many of them stood behind others
	Closed                  int      // connections of viewers that ended without their will
	Ends                    []string // why the first of these ended

	Recover    time.Duration // from Heal to a reading that was sent after it, for 99 % of viewers and topics
	Unhealed   int           // viewers and topics that got none
	ToldStale  time.Duration // from Begin to the frame stale, the latest of those that were told
	ToldReset  time.Duration // from the end of a Losing to its reset, the latest
	Untold     int           // viewers and topics that got no stale
	Before     *Times        // from push to frame, of pushes before the fault, during it, after it
	During     *Times
	After      *Times
	Answers    *Times // of pushes that were acknowledged and refused, during the fault if there is one
	Refusals   *Times
	Bad        map[int]int // answers to pushes by status, other than 200 and 503
	Mute       int         // 503s without Retry-After
	Resumes    *Times      // from opening a connection to every topic going on
	Resident   int64       // most bytes of memory before the fault
	ResidentAt int64       // and since

	evidence []string
}

// Finish ends the run: the writers stop, the viewers get what there is, and
// everything is judged. It prints one line and fails the test for every lie.
func (o *Oracle) Finish() Report {
	o.tb.Helper()
	o.memory.look()
	o.stopWriting()
	o.writers.Wait()
	o.ending.Store(true)
	r := Report{Fault: o.run.Fault, Store: o.store(), Seed: o.run.Seed}
	truth := o.truth()
	late := !o.until(settleWithin, func() bool { return len(o.unsettled(truth)) == 0 })
	if late {
		truth = o.truth() // a write of unknown outcome may have been late
	}
	for _, text := range o.unsettled(truth) {
		r.Violations++
		r.evidence = append(r.evidence, text)
	}
	o.stop()
	o.judge(&r, truth)
	o.measure(&r)
	o.print(r)
	return r
}

// store asks the store what it is.
func (o *Oracle) store() string {
	o.tb.Helper()
	info, err := ask(strings.TrimPrefix(o.run.Truth, "redis://"), "INFO", "server")
	switch {
	case err != nil:
		o.tb.Fatalf("%s, seed %d: the truth: %v", o.run.Fault, o.run.Seed, err)
	case strings.Contains(info, "readout_embedded:"):
		return "embedded"
	}
	return "redis"
}

// truth reads every topic from the store itself.
func (o *Oracle) truth() []content {
	o.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s, err := store.Open(ctx, store.Options{URL: o.run.Truth})
	if err != nil {
		o.tb.Fatalf("%s, seed %d: the truth: %v", o.run.Fault, o.run.Seed, err)
	}
	defer func() { _ = s.Close() }()
	all := make([]content, len(o.ledgers))
	for i, l := range o.ledgers {
		h, err := s.Range(ctx, l.topic, store.RangeQuery{})
		if err != nil {
			o.tb.Fatalf("%s, seed %d: the truth of %s: %v", o.run.Fault, o.run.Seed, l.topic, err)
		}
		all[i].end = h.End
		for _, e := range h.Entries {
			all[i].entries = append(all[i].entries, held{e.Cursor.ID, numbersOf(e.Readings)})
		}
	}
	return all
}

func numbersOf(list []reading.Reading) []int64 {
	var numbers []int64
	for _, r := range list {
		for _, v := range r.Values {
			if n, ok := v.Value.Number(); ok && v.Name == reading.DefaultValue {
				numbers = append(numbers, int64(n))
			}
		}
	}
	return numbers
}

// unsettled names the viewers that are not where the streams end.
func (o *Oracle) unsettled(truth []content) []string {
	var who []string
	for _, v := range o.viewers {
		v.mu.Lock()
		for i, l := range o.ledgers {
			w := v.watches[string(l.topic)]
			if w != nil && (w.text == "" || w.turning || w.cursor.ID != truth[i].end.ID) {
				who = append(who, fmt.Sprintf("%s: viewer %d (%s) stays at %q, the stream ends at %s; its last frames:\n\t%s",
					l.topic, v.number, v.transport, w.text, truth[i].end, strings.Join(v.recent[max(0, len(v.recent)-8):], "\n\t")))
			}
		}
		v.mu.Unlock()
	}
	return who
}

func (o *Oracle) judge(r *Report, truth []content) {
	for i, l := range o.ledgers {
		yes, no, perhaps := l.tally()
		r.Acked, r.Refused, r.Unknown = r.Acked+yes, r.Refused+no, r.Unknown+perhaps
		var watches []*watch
		for _, viewer := range o.viewers {
			if w := viewer.watches[string(l.topic)]; w != nil {
				watches = append(watches, w)
				r.Gaps += int(w.gaps)
				r.Resets += len(w.turns)
				r.ToldReset = max(r.ToldReset, l.slowest(w.turns))
			}
		}
		v := judge(l, truth[i], watches)
		r.Lost += len(v.lost)
		for _, n := range v.lost {
			r.LostReadings = append(r.LostReadings, Number{string(l.topic), n})
		}
		r.MayLose += v.mayLose
		r.Duplicates += v.duplicates
		r.SilentGaps += v.silent
		r.FalseGaps += v.falseGaps
		r.Violations += v.violations
		r.evidence = append(r.evidence, v.evidence...)
	}
}

// slowest returns how long after the losings their resets were told.
func (l *ledger) slowest(turns []turn) time.Duration {
	most := time.Duration(0)
	for _, t := range turns {
		for _, x := range slices.Backward(l.losses) {
			if !x.to.After(t.at) {
				most = max(most, t.at.Sub(x.to))
				break
			}
		}
	}
	return most
}

func (o *Oracle) measure(r *Report) {
	r.Deliveries, r.Conflated, r.Closed = o.tally.deliveries.Load(), o.tally.conflated.Load(), o.Closed()
	r.Before, r.During, r.After, r.Resumes = &o.phases[0], &o.phases[1], &o.phases[2], &o.resumes
	r.Bad, r.Mute, r.Ends = o.tally.bad, o.tally.mute, o.tally.ends
	r.Resident, r.ResidentAt = o.memory.most()
	began, healed := since(&o.began), since(&o.healed)
	phase := 0
	if !began.IsZero() {
		phase = 1
	}
	r.Answers, r.Refusals = &o.answers[phase], &o.refusals[phase]
	var recovery []time.Duration
	for _, v := range o.viewers {
		for topic := range v.watches {
			if at := v.stale[topic]; !began.IsZero() && at.After(began) {
				r.ToldStale = max(r.ToldStale, at.Sub(began))
			} else {
				r.Untold++
			}
			if at := v.news[topic]; healed.IsZero() {
			} else if at.After(healed) {
				recovery = append(recovery, at.Sub(healed))
			} else {
				r.Unhealed++
			}
		}
	}
	slices.Sort(recovery)
	if n := len(recovery); n > 0 {
		r.Recover = recovery[min(n-1, n*99/100)]
	}
}

// Line is the run in one line.
func (r Report) Line() string {
	ms := func(d time.Duration) int64 { return d.Milliseconds() }
	return fmt.Sprintf("fault=%s store=%s seed=%d acked=%d lost=%d dup=%d silent_gaps=%d false_gaps=%d gaps=%d resets=%d recover_ms=%d p99_ms=%d/%d/%d refused=%d refused_p99_ms=%d deliveries=%d violations=%d",
		r.Fault, r.Store, r.Seed, r.Acked, r.Lost, r.Duplicates, r.SilentGaps, r.FalseGaps, r.Gaps, r.Resets, ms(r.Recover),
		ms(r.Before.P99()), ms(r.During.P99()), ms(r.After.P99()), r.Refused, ms(r.Refusals.P99()), r.Deliveries, r.Violations)
}

func (o *Oracle) print(r Report) {
	o.tb.Helper()
	_, _ = fmt.Fprintln(os.Stdout, r.Line())
	switch {
	case r.Lost > r.MayLose, r.Duplicates > 0, r.SilentGaps > 0, r.FalseGaps > 0, r.Violations > 0, r.Mute > 0, len(r.Bad) > 0:
		o.tb.Errorf("%s\nunexplained losses %d, answers %v, 503s without Retry-After %d; repeat with READOUT_FAULTS_SEED=%d\n%s",
			r.Line(), r.Lost-r.MayLose, r.Bad, r.Mute, r.Seed, strings.Join(r.evidence[:min(len(r.evidence), 40)], "\n"))
	}
}

// AtMost fails the test when a duration of the run is longer than promised.
func (r Report) AtMost(tb testing.TB, what string, got, most time.Duration) {
	tb.Helper()
	if got > most {
		tb.Errorf("%s, seed %d: %s is %v, at most %v is promised", r.Fault, r.Seed, what, got, most)
	}
}

// None fails the test when there is any of what there must be none.
func (r Report) None(tb testing.TB, what string, n int) {
	tb.Helper()
	if n != 0 {
		tb.Errorf("%s, seed %d: %s: %d, there must be none (connections ended: %q)", r.Fault, r.Seed, what, n, r.Ends)
	}
}
