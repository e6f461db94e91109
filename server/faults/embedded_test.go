//go:build faults

package faults

import (
	"math/rand/v2"
	"testing"
	"time"

	"readout/server/embedded"
	"readout/server/servertest"
)

// The store of a process with --data ends and comes back with what it had, and
// the links to it fail in between. It is reached through its port, so that it can
// be another process' as well.
func TestEmbeddedRestarts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start := func(address string) (*embedded.Server, string) {
		kept, err := embedded.Start(embedded.Options{Data: dir, Sync: embedded.SyncAlways})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(kept.Close)
		at, err := kept.Listen(address)
		if err != nil {
			t.Fatal(err)
		}
		return kept, at
	}
	kept, at := start("127.0.0.1:0")
	link := servertest.NewFaultProxy(t, at, 1)
	s := service(t, link.URL())
	o := servertest.NewOracle(t, servertest.Run{Fault: "embedded", Servers: []*servertest.Server{s}, Truth: "redis://" + at, Load: load()})
	o.Start()
	o.For(phase(time.Second, 20*time.Second))
	o.Begin()
	choose := rand.New(rand.NewPCG(o.Seed(), 0))
	for range int(phase(3, 12)) {
		hurtStore(link, choose)
		o.For(time.Second)
		kept.Close()
		o.For(300 * time.Millisecond)
		kept, _ = start(at)
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
