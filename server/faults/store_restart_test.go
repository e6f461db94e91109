//go:build faults

package faults

import (
	"math/rand/v2"
	"testing"
	"time"

	"readout/server/servertest"
)

// F5: the store is killed and comes back with everything it had acknowledged.
func TestStoreKilled(t *testing.T) {
	t.Parallel()
	store := keptStore(t)
	s := service(t, store.URL())
	o := servertest.NewOracle(t, servertest.Run{Fault: "F5", Servers: []*servertest.Server{s}, Truth: store.URL(), Load: load()})
	o.Start()
	o.For(phase(time.Second, 20*time.Second))
	o.Begin()
	store.Crash()
	o.For(time.Second)
	store.Restart()
	o.Heal()
	o.For(phase(2*time.Second, 20*time.Second))
	r := o.Finish()
	r.AtMost(t, "recovery p99", r.Recover, 2*time.Second)
	unharmed(t, r)
}

// F6: the same without a file. All is lost, and every viewer is told so.
func TestStoreKilledWithoutAFile(t *testing.T) {
	t.Parallel()
	store := emptyStore(t)
	s := service(t, store.URL())
	shape := load()
	o := servertest.NewOracle(t, servertest.Run{Fault: "F6", Servers: []*servertest.Server{s}, Truth: store.URL(), Load: shape})
	o.Start()
	o.For(phase(time.Second, 20*time.Second))
	o.Begin()
	o.Losing(func() {
		store.Kill()
		o.For(time.Second)
		store.Restart()
	})
	o.Heal()
	o.Eventually(noticed, "every viewer is told", func() bool { return len(o.Told("reset")) == shape.Viewers })
	o.For(phase(2*time.Second, 20*time.Second))
	counted := figure(t, s, "readout_resets_total")
	r := o.Finish()
	r.AtMost(t, "reset", r.ToldReset, 2*time.Second)
	r.AtMost(t, "recovery p99", r.Recover, 2*time.Second)
	r.None(t, "viewers and topics that never recovered", r.Unhealed)
	r.None(t, "sockets closed", r.Closed)
	if counted < shape.Viewers*shape.Each {
		t.Errorf("%d resets are counted at /metrics, want one for each of %d topics of %d viewers", counted, shape.Each, shape.Viewers)
	}
}

// F7: the store comes and goes ten times. Nobody gives up.
func TestStoreRestartsInALoop(t *testing.T) {
	t.Parallel()
	store := keptStore(t)
	s := service(t, store.URL())
	o := servertest.NewOracle(t, servertest.Run{Fault: "F7", Servers: []*servertest.Server{s}, Truth: store.URL(), Load: load()})
	o.Start()
	o.Begin()
	for range 10 {
		store.Crash()
		o.For(phase(200*time.Millisecond, 1500*time.Millisecond))
		store.Restart()
		o.For(phase(200*time.Millisecond, 1500*time.Millisecond))
	}
	o.Heal()
	o.For(phase(2*time.Second, 20*time.Second))
	r := o.Finish()
	r.AtMost(t, "recovery p99", r.Recover, 2*time.Second)
	r.None(t, "viewers and topics that never recovered", r.Unhealed)
	r.AtMost(t, "503 p99", r.Refusals.P99(), 1500*time.Millisecond)
	r.None(t, "lost", r.Lost)
	r.None(t, "resets", r.Resets)
	r.None(t, "sockets closed", r.Closed)
}

// The store is killed again and again, and the link to it fails in between.
func TestStoreKilledBehindABadLink(t *testing.T) {
	t.Parallel()
	store := keptStore(t)
	link := servertest.NewFaultProxy(t, store.Addr(), 1)
	s := service(t, link.URL())
	o := servertest.NewOracle(t, servertest.Run{Fault: "F7-link", Servers: []*servertest.Server{s}, Truth: store.URL(), Load: load()})
	o.Start()
	o.For(phase(time.Second, 20*time.Second))
	o.Begin()
	choose := rand.New(rand.NewPCG(o.Seed(), 0))
	for range int(phase(3, 12)) {
		hurtStore(link, choose)
		o.For(time.Second)
		store.Crash()
		o.For(300 * time.Millisecond)
		store.Restart()
		link.Pass()
		o.For(time.Second)
	}
	o.Heal()
	o.For(phase(2*time.Second, 20*time.Second))
	r := o.Finish()
	r.AtMost(t, "recovery", r.Recover, 2*time.Second)
	r.None(t, "lost", r.Lost)
	r.None(t, "resets", r.Resets)
}
