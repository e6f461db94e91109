//go:build e2e

package e2e_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"readout/server/servertest"
)

// oneSocket fails the test when the page ever had another socket than its first.
func (p *tab) oneSocket() {
	p.t.Helper()
	if _, _, sockets := p.reported(); len(sockets) != 1 {
		p.t.Errorf("the page opened %d sockets, want one that stays", len(sockets))
	}
}

// TestFlushUnderAPage empties the store under an open page: it draws that its
// stream was replaced, shows none of the old readings as if the new ones
// followed them, and goes on.
func TestFlushUnderAPage(t *testing.T) {
	t.Parallel()
	const noticed = 2 * time.Second
	r := servertest.Redis(t)
	s := start(t, r.URL(), nil)
	for n := 1; n <= 5; n++ {
		s.Push("orders", fmt.Sprint(n))
	}
	p := open(t, s.URL+"/t/orders")
	p.live()
	s.Push("orders", "6")
	p.until(shows("6"))
	evaluate[chromedp.Void](p, collect)
	drawn := p.watch(`document.querySelector("[data-chart]").ariaLabel.includes("store replaced")`)
	began := time.Now()
	r.Do("FLUSHALL")
	s.Push("orders", "7")
	p.until(shows("7"))
	took := drawn().Sub(began)
	t.Logf("the page draws that its stream was replaced after %v", took.Round(time.Millisecond))
	if most := noticed + time.Second; took > most { // the picture's words are written once a second
		t.Errorf("the page draws it after %v, want at most %v", took, most)
	}
	s.Push("orders", "8")
	p.until(shows("8"))
	p.checkCollected(8)
	resets := 0
	for _, f := range p.messages() {
		if f.Type == "reset" {
			resets++
		}
	}
	if resets != 1 {
		t.Errorf("the page was told of %d resets, want 1", resets)
	}
	p.oneSocket()
	p.unbroken()
}

// TestStoreStandsStill freezes Redis for ten seconds: the page says since when it
// hears nothing, keeps its socket, and is live again as soon as Redis is.
func TestStoreStandsStill(t *testing.T) {
	t.Parallel()
	const (
		still    = 10 * time.Second
		told     = 4 * time.Second // three seconds to the viewer, one to the words
		recovers = 3 * time.Second // two to the viewer, one to the words
		stale    = `/stale since/.test(document.body.innerText)`
	)
	r := servertest.Redis(t)
	s := start(t, r.URL(), nil)
	s.Push("orders", "1")
	p := open(t, s.URL+"/t/orders")
	p.live()
	s.Push("orders", "2")
	p.until(shows("2"))
	says := p.watch(stale)
	began := time.Now()
	r.Freeze()
	took := says().Sub(began)
	t.Logf("the page says that it is stale after %v", took.Round(time.Millisecond))
	if took > told {
		t.Errorf("the page says that it is stale after %v, want at most %v", took, told)
	}
	<-time.After(still - time.Since(began))
	says = p.watch(`!` + stale)
	began = time.Now()
	r.Continue()
	took = says().Sub(began)
	t.Logf("and no more %v after Redis went on", took.Round(time.Millisecond))
	if took > recovers {
		t.Errorf("the page says that it is live %v after Redis went on, want at most %v", took, recovers)
	}
	s.Push("orders", "3")
	p.until(shows("3"))
	p.oneSocket()
	p.unbroken()
}

// TestStoreOnlyReads demotes Redis: a banner says that nothing new is taken, and
// leaves when that is over.
func TestStoreOnlyReads(t *testing.T) {
	t.Parallel()
	const banner = `[...document.querySelectorAll("[role=alert], [role=status], .notice")].some((e) => e.checkVisibility() && /read-only since/.test(e.innerText))`
	const told = 4 * time.Second // three seconds to the viewer, one to the words
	r := servertest.Redis(t)
	s := start(t, r.URL(), nil)
	s.Push("orders", "1")
	p := open(t, s.URL+"/t/orders")
	p.live()
	for _, step := range []struct {
		what  string
		act   func()
		holds string
	}{
		{"demoted", func() { r.Do("REPLICAOF", "127.0.0.1", "1") }, banner},
		{"promoted", func() { r.Do("REPLICAOF", "NO", "ONE") }, `!` + banner},
	} {
		says := p.watch(step.holds)
		began := time.Now()
		step.act()
		took := says().Sub(began)
		t.Logf("%s: the page says so after %v", step.what, took.Round(time.Millisecond))
		if took > told {
			t.Errorf("%s: the page says so after %v, want at most %v", step.what, took, told)
		}
	}
	s.Push("orders", "2")
	p.until(shows("2"))
	p.oneSocket()
	p.unbroken()
}
