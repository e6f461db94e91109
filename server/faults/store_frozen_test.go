//go:build faults

package faults

import (
	"testing"
	"time"

	"readout/server/servertest"
)

// F9: the store stands still for ten seconds and then executes what it was sent.
func TestStoreFreezes(t *testing.T) {
	t.Parallel()
	store := keptStore(t)
	s := service(t, store.URL())
	o := servertest.NewOracle(t, servertest.Run{Fault: "F9", Servers: []*servertest.Server{s}, Truth: store.URL(), Load: load()})
	o.Start()
	o.For(phase(time.Second, 20*time.Second))
	o.Begin()
	store.Freeze()
	o.For(10 * time.Second)
	store.Continue()
	o.Heal()
	o.For(phase(2*time.Second, 20*time.Second))
	r := o.Finish()
	if r.Refusals.Count() == 0 {
		t.Error("F9: no push was refused: nothing was tried")
	}
	r.AtMost(t, "503 p99", r.Refusals.P99(), 1500*time.Millisecond)
	r.AtMost(t, "recovery p99", r.Recover, 2*time.Second)
	unharmed(t, r)
}

// F10: the store stands still and is killed at last. The reads that hang are cut, and
// every viewer is told that what it sees is old.
func TestStoreFreezesForEver(t *testing.T) {
	t.Parallel()
	const watchdog = 4 * time.Second
	store := keptStore(t)
	s := service(t, store.URL())
	shape := load()
	shape.Churn = 0 // who comes later is told later
	o := servertest.NewOracle(t, servertest.Run{Fault: "F10", Servers: []*servertest.Server{s}, Truth: store.URL(), Load: shape})
	o.Start()
	o.For(phase(time.Second, 20*time.Second))
	cuts := figure(t, s, "readout_tail_cuts_total")
	o.Begin()
	began := time.Now()
	store.Freeze()
	o.Eventually(watchdog, "the watchdog cuts a hung read", func() bool { return figure(t, s, "readout_tail_cuts_total") > cuts })
	t.Logf("F10: the first hung read was cut after %v", time.Since(began).Round(time.Millisecond))
	o.Eventually(watchdog, "every viewer is told", func() bool { return len(o.Told("stale")) == shape.Viewers })
	becomesUnready(t, o, s, "away")
	o.For(phase(time.Second, 30*time.Second))
	store.Restart()
	o.Heal()
	o.For(phase(2*time.Second, 20*time.Second))
	r := o.Finish()
	r.AtMost(t, "stale", r.ToldStale, noticed)
	r.AtMost(t, "503 p99", r.Refusals.P99(), 1500*time.Millisecond)
	r.AtMost(t, "recovery p99", r.Recover, 2*time.Second)
	unharmed(t, r)
}
