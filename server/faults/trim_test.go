//go:build faults

package faults

import (
	"testing"
	"time"

	"readout/server"
	"readout/server/servertest"
)

// F26: a thousand times a stream is trimmed past a viewer that is away. Each gap is
// told, and how much is lost.
func TestTrims(t *testing.T) {
	t.Parallel()
	const most = 1000
	store := emptyStore(t)
	s := service(t, store.URL(), func(o *server.Options) { o.Linger = time.Millisecond }) // else a ring would still have it all
	door := servertest.NewFaultProxy(t, address(s), 1)
	shape := servertest.Load{Topics: 20, Rate: 10, Viewers: 25, Each: 4}
	o := servertest.NewOracle(t, servertest.Run{Fault: "F26", Servers: []*servertest.Server{s}, Truth: store.URL(), Load: shape, Through: door})
	o.Start()
	trims := 0
	for range most / (shape.Viewers * shape.Each) {
		door.Refuse()
		o.Eventually(time.Minute, "all are away", o.NoneLive)
		var least []int64
		for i := range shape.Topics {
			least = append(least, o.AckedOf(i)+4)
		}
		for i := range shape.Topics {
			o.Eventually(time.Minute, "each topic got readings meanwhile", func() bool { return o.AckedOf(i) >= least[i] })
		}
		for i := range shape.Topics {
			store.Do("XTRIM", o.Key(i), "MAXLEN", "1")
		}
		door.Pass()
		o.Eventually(time.Minute, "all are back", o.AllLive)
		trims += shape.Viewers * shape.Each
	}
	r := o.Finish()
	if r.Gaps != trims {
		t.Errorf("F26: %d gaps were told, %d times a stream was trimmed past a viewer", r.Gaps, trims)
	}
	r.None(t, "resets", r.Resets)
}

// F26, the other way: 5,000 readings a second go into streams that hold a second of
// them, and the viewers stand still for longer than that.
func TestTrimsUnderStalledViewers(t *testing.T) {
	t.Parallel()
	store := emptyStore(t)
	s := service(t, store.URL(), func(o *server.Options) { o.Store.MaxEntries = 100 })
	door := servertest.NewFaultProxy(t, address(s), 1)
	shape := servertest.Load{Topics: 2, Rate: 50, Batch: 50, Viewers: 6, Each: 2}
	o := servertest.NewOracle(t, servertest.Run{Fault: "F26-stalled", Servers: []*servertest.Server{s}, Truth: store.URL(), Load: shape, Through: door})
	o.Start()
	o.For(time.Second)
	o.Begin()
	for range int(phase(2, 10)) {
		door.Stall()
		o.For(8 * time.Second) // until the kernel's buffers are full, and two streams' lengths more
		door.Pass()
		o.For(2 * time.Second)
	}
	o.Heal()
	o.For(time.Second)
	r := o.Finish()
	if r.Gaps == 0 {
		t.Error("F26-stalled: no stream was trimmed past a viewer")
	}
	r.None(t, "resets", r.Resets)
}
