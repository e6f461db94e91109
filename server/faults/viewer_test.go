//go:build faults

package faults

import (
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"readout/server"
	"readout/server/servertest"
)

// F34: a thousand times a viewer's connection is reset in the middle of a frame.
func TestViewersAreReset(t *testing.T) { // not parallel: it counts the goroutines of this process
	const most = 1000
	const pool = 20 // connections to the store that stay
	store := emptyStore(t)
	log := &journal{}
	s := service(t, store.URL(), func(o *server.Options) {
		o.Linger = 100 * time.Millisecond
		o.Logger = slog.New(slog.NewTextHandler(log, nil))
	})
	s.Push("before", "1") // what a server keeps once it was used
	idle := servertest.TakeFootprint()
	door := servertest.NewFaultProxy(t, address(s), 1)
	shape := load()
	shape.Churn, shape.Viewers = 0, 2*shape.Viewers
	o := servertest.NewOracle(t, servertest.Run{Fault: "F34", Servers: []*servertest.Server{s}, Truth: store.URL(), Load: shape, Through: door})
	before := strings.Count(log.String(), "\n")
	o.Start()
	o.Begin()
	began := time.Now()
	choose := rand.New(rand.NewPCG(34, 34))
	o.Eventually(2*time.Minute, "a thousand connections are reset", func() bool {
		door.CutAfter(150 + choose.IntN(3000))
		o.For(100 * time.Millisecond)
		return o.Closed() >= most
	})
	took := time.Since(began)
	door.Pass()
	o.Heal()
	o.For(phase(time.Second, 10*time.Second))
	r := o.Finish()
	r.AtMost(t, "recovery", r.Recover, 2*time.Second)
	if after := strings.Count(log.String(), "\n"); float64(after-before) > took.Seconds()+1 {
		t.Errorf("F34: %d lines are logged in %v:\n%.2000s", after-before, took, log.String())
	}
	s.Client.CloseIdleConnections()
	now := servertest.Footprint{}
	defer func() {
		if t.Failed() {
			t.Logf("idle %+v, in the end %+v", idle, now)
		}
	}()
	o.Eventually(10*time.Second, "goroutines and descriptors are given back", func() bool {
		now = servertest.TakeFootprint()
		return now.Goroutines <= idle.Goroutines+5 && now.Descriptors <= idle.Descriptors+pool+5
	})
}
