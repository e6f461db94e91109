//go:build faults

package faults

import (
	"math/rand/v2"
	"testing"
	"time"

	"readout/server/servertest"
)

// A million deliveries under a mix of faults: of both replicas' links to the store
// and of the viewers' links to one of them. In the short form it is a thousandth.
func TestSoak(t *testing.T) {
	if !long() {
		t.Parallel()
	}
	const million = 1_000_000
	least := int64(million)
	if !long() {
		least /= 1000
	}
	store := emptyStore(t)
	links := []*servertest.FaultProxy{servertest.NewFaultProxy(t, store.Addr(), 1), servertest.NewFaultProxy(t, store.Addr(), 2)}
	replicas := []*servertest.Server{service(t, links[0].URL()), service(t, links[1].URL())}
	door := servertest.NewFaultProxy(t, address(replicas[0]), 3)
	o := servertest.NewOracle(t, servertest.Run{Fault: "soak", Servers: replicas, Truth: store.URL(), Load: load(), Through: door})
	o.Start()
	o.For(phase(time.Second, 20*time.Second))
	o.Begin()
	choose := rand.New(rand.NewPCG(o.Seed(), 0))
	for began := time.Now(); time.Since(began) < phase(8*time.Second, time.Minute) || o.Deliveries() < least; {
		links[choose.IntN(len(links))].Pass()
		hurtStore(links[choose.IntN(len(links))], choose)
		hurtViewers(door, choose)
		o.For(time.Duration(200+choose.IntN(2000)) * time.Millisecond)
	}
	for _, p := range append(links, door) {
		p.Pass()
	}
	o.Heal()
	o.For(phase(3*time.Second, 20*time.Second))
	r := o.Finish()
	r.AtMost(t, "recovery", r.Recover, 3*time.Second)
}

func hurtStore(p *servertest.FaultProxy, choose *rand.Rand) {
	switch choose.IntN(8) {
	case 0:
		p.Latency(50*time.Millisecond, 25*time.Millisecond)
	case 1:
		p.DropReplies(0.05)
	case 2:
		p.Stall()
	case 3:
		p.Blackhole()
	case 4:
		p.Refuse()
	case 5:
		p.Reset()
	case 6:
		p.HalfClose()
	default:
		p.Pass()
	}
}

func hurtViewers(p *servertest.FaultProxy, choose *rand.Rand) {
	switch choose.IntN(8) {
	case 0:
		p.Latency(100*time.Millisecond, 80*time.Millisecond)
	case 1:
		p.Stall()
	case 2:
		p.CutAfter(1000 + choose.IntN(100_000))
	case 3:
		p.Reset()
	case 4:
		p.Blackhole()
	default:
		p.Pass()
	}
}
