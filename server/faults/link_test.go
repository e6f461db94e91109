//go:build faults

package faults

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"readout/server/servertest"
)

// linked starts a Redis, a proxy before it and a Readout that knows only the proxy.
func linked(t *testing.T, fault string, shape servertest.Load) (*servertest.FaultProxy, *servertest.Server, *servertest.Oracle) {
	t.Helper()
	store := emptyStore(t)
	proxy := servertest.NewFaultProxy(t, store.Addr(), 1)
	s := service(t, proxy.URL())
	return proxy, s, servertest.NewOracle(t, servertest.Run{Fault: fault, Servers: []*servertest.Server{s}, Truth: store.URL(), Load: shape})
}

// F11: one reply of the store in ten is lost, after the command was executed.
func TestLostReplies(t *testing.T) {
	t.Parallel()
	proxy, _, o := linked(t, "F11", load())
	o.Start()
	o.For(phase(2*time.Second, 15*time.Second))
	o.Begin()
	proxy.DropReplies(0.1)
	o.For(phase(6*time.Second, 60*time.Second))
	dropped := proxy.Dropped()
	proxy.Pass()
	o.Heal()
	o.For(phase(2*time.Second, 15*time.Second))
	r := o.Finish()
	r.AtMost(t, "recovery", r.Recover, 2*time.Second)
	r.None(t, "connections closed", r.Closed)
	if dropped < 20 {
		t.Errorf("only %d replies were lost", dropped)
	}
}

// F12: every reply of the store is 200 ± 50 ms late. As much is stored as before,
// and it is on the screens within half a second.
func TestFarStore(t *testing.T) { // not parallel: what other runs take of the processor would be measured too
	shape := load()
	shape.Topics, shape.Rate = 8*shape.Topics, shape.Rate/8 // a writer has one push under way, so more of them
	proxy, _, o := linked(t, "F12", shape)
	o.Start()
	rate := func(d time.Duration) float64 {
		before := o.Acked()
		o.For(d)
		return float64(o.Acked()-before) / d.Seconds()
	}
	base := rate(phase(4*time.Second, 30*time.Second))
	o.Begin()
	proxy.Latency(200*time.Millisecond, 50*time.Millisecond)
	o.For(time.Second) // what was under way is not counted
	far := rate(phase(6*time.Second, 60*time.Second))
	proxy.Pass()
	o.Heal()
	o.For(phase(time.Second, 15*time.Second))
	r := o.Finish()
	if far < 0.8*base {
		t.Errorf("F12: %.0f readings a second are stored, %.0f when the store is near: less than 80 %%", far, base)
	}
	r.AtMost(t, "p99 from push to viewer", r.During.P99(), 500*time.Millisecond)
	r.None(t, "connections closed", r.Closed)
}

// F13: the link to the store becomes a black hole, without a reset.
func TestBlackhole(t *testing.T) {
	t.Parallel()
	proxy, _, o := linked(t, "F13", load())
	o.Start()
	o.For(phase(2*time.Second, 15*time.Second))
	o.Begin()
	proxy.Blackhole()
	o.For(phase(8*time.Second, 30*time.Second))
	proxy.Pass()
	o.Heal()
	o.For(phase(4*time.Second, 15*time.Second))
	r := o.Finish()
	r.AtMost(t, "p99 of 503s", r.Refusals.P99(), 1500*time.Millisecond)
	r.AtMost(t, "the frame stale", r.ToldStale, 3*time.Second)
	r.AtMost(t, "recovery", r.Recover, 2*time.Second)
	r.None(t, "viewers and topics without the frame stale", r.Untold)
	r.None(t, "viewers and topics that did not recover", r.Unhealed)
	r.None(t, "connections closed", r.Closed)
}

// F14: the link is up for a second and down for a second. What is down is not
// dialled more than five times a second.
func TestFlappingLink(t *testing.T) {
	t.Parallel()
	const most = 5 // dials a second
	proxy, _, o := linked(t, "F14", load())
	o.Start()
	o.For(phase(time.Second, 15*time.Second))
	o.Begin()
	rounds, dials := int(phase(4, 15)), [2]int{}
	for range rounds {
		for i, down := range []func(){proxy.Refuse, proxy.Blackhole} {
			before := proxy.Dials()
			down()
			o.For(time.Second)
			dials[i] += proxy.Dials() - before
			proxy.Pass()
			o.For(time.Second)
		}
	}
	o.Heal()
	o.For(phase(2*time.Second, 15*time.Second))
	r := o.Finish()
	for i, how := range []string{"refuses", "swallows"} {
		if dials[i] > most*rounds {
			t.Errorf("F14: %d dials in the %d seconds in which the link %s, at most %d a second are promised", dials[i], rounds, how, most)
		}
	}
	r.AtMost(t, "recovery", r.Recover, 2*time.Second)
	r.None(t, "connections closed", r.Closed)
}

// F15: the link to the store carries one Mbit/s and more is pushed. Pushes are
// refused instead of being piled up.
func TestNarrowLink(t *testing.T) { // not parallel: it measures the memory of this process
	const mbit = 1_000_000 / 8
	proxy, s, o := linked(t, "F15", load())
	o.Start()
	o.For(phase(3*time.Second, 15*time.Second))
	o.Begin()
	proxy.Throttle(mbit)
	refused := ballast(t, s, time.Now().Add(phase(6*time.Second, 60*time.Second)))
	proxy.Pass()
	o.Heal()
	o.For(phase(2*time.Second, 15*time.Second))
	r := o.Finish()
	if refused == 0 {
		t.Error("F15: nothing was refused: the link was not too narrow")
	}
	if float64(r.ResidentAt) > 1.5*float64(r.Resident) {
		t.Errorf("F15: %d MiB are resident, %d MiB before: more than 1.5 times", r.ResidentAt>>20, r.Resident>>20)
	}
	r.AtMost(t, "recovery", r.Recover, 2*time.Second)
	r.None(t, "connections closed", r.Closed)
}

// ballast pushes four times what a Mbit/s carries until a time, and returns how
// often it was refused.
func ballast(t *testing.T, s *servertest.Server, until time.Time) int {
	t.Helper()
	const pushers, readings, size = 8, 128, 120 // 16 KB four times a second
	var work sync.WaitGroup
	refusals := make([]int, pushers)
	for i := range pushers {
		work.Go(func() {
			pace := time.NewTicker(time.Second / 4)
			defer pace.Stop()
			for n := 0; time.Now().Before(until); n += readings {
				var b strings.Builder
				for at := range readings { // a text of its own each, so that packing does not shorten it
					fmt.Fprintf(&b, `{"topic":"ballast{n=\"%d\"}","value":"%0*d x"}`+"\n", i, size, n+at)
				}
				r, err := http.NewRequest(http.MethodPost, s.URL+"/api/v1/readings", strings.NewReader(b.String()))
				if err != nil {
					t.Error(err)
					return
				}
				r.Header.Set("Content-Type", "application/x-ndjson")
				answer, err := s.Client.Do(r)
				if err != nil {
					t.Errorf("ballast: %v", err)
					return
				}
				_ = answer.Body.Close()
				switch answer.StatusCode {
				case http.StatusOK:
				case http.StatusServiceUnavailable:
					refusals[i]++
				default:
					t.Errorf("ballast was answered %s", answer.Status)
					return
				}
				<-pace.C
			}
		})
	}
	work.Wait()
	all := 0
	for _, n := range refusals {
		all += n
	}
	return all
}
