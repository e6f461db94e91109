//go:build e2e

package e2e_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"readout/server"
)

// mark leaves something in a page that a reload would take away.
func (p *tab) mark() { evaluate[bool](p, `globalThis.marked = true`) }

func (p *tab) checkNotReloaded() {
	p.t.Helper()
	if !evaluate[bool](p, `globalThis.marked === true`) {
		p.t.Error("the page was loaded again")
	}
}

func TestTopicsPageGrows(t *testing.T) {
	s := start(t, "", nil)
	p := open(t, s.URL+"/topics")
	p.live()
	p.mark()
	if text := evaluate[string](p, `document.querySelector("[data-topics-empty]").innerText`); !strings.Contains(text, "curl -d 42") {
		t.Errorf("a list without topics does not say how to get one: %s", text)
	}
	const figure = `document.querySelector('[data-topics-rows] tr:has(a[href="/t/orders"]) [data-figure]')`
	took := p.follows(func() { s.Push("orders", "42") }, figure+`.checkVisibility() && `+figure+`.textContent === "42"`)
	t.Logf("push of a new topic to its row: %v", took)
	took = p.follows(func() { s.Push("orders", "43") }, figure+`.textContent === "43"`)
	t.Logf("push to the value in the row: %v", took)

	// A topic with labels gets an address that works, and rows stand in order.
	p.follows(func() { s.Push("cpu?host=web1", "user=0.25 system=0.5") }, `document.querySelector("[data-topics-rows] tr:first-child .labels").textContent === '{host="web1"}'`)
	if got := evaluate[string](p, `[...document.querySelectorAll("[data-topics-rows] .name")].map((e) => e.textContent).join()`); got != "cpu,orders" {
		t.Errorf("the list is %s, want cpu,orders", got)
	}
	p.checkNotReloaded()
	answer, err := chromedp.RunResponse(p.ctx, chromedp.Click(chromedp.CSS("[data-topics-rows] tr:first-child [data-link]")))
	if err != nil || answer.Status != http.StatusOK {
		t.Fatalf("the row's link: %v, %v", answer, err)
	}
	if got := evaluate[string](p, `document.querySelector("h1").innerText.replaceAll(/\s/g, "")`); got != `cpu{host="web1"}` {
		t.Errorf("the row's link leads to the page of %s", got)
	}
	if got := evaluate[string](p, `document.querySelector("[data-value] [data-figure]").textContent`); got != "0.250" {
		t.Errorf("the page of the row's link shows %q, want 0.250", got)
	}
}

func TestTopicsPageFollowsItsSelector(t *testing.T) {
	s := start(t, "", nil)
	s.Push("http_requests", "1")
	s.Push("orders", "1")
	p := open(t, s.URL+"/topics?match=http_*")
	p.live()
	s.Push("sessions", "1") // must not come
	p.follows(func() { s.Push("http_errors", "2") }, `document.querySelector('[data-topics-rows] a[href="/t/http_errors"]')`)
	if got := evaluate[string](p, `[...document.querySelectorAll("[data-topics-rows] .name")].map((e) => e.textContent).join()`); got != "http_errors,http_requests" {
		t.Errorf("the list is %s, want http_errors,http_requests", got)
	}
}

func TestHome(t *testing.T) {
	s := start(t, "", func(o *server.Options) { o.Own = append(o.Own, `cpu{host="here"}`) })
	s.Push("cpu?host=here", "12") // what this machine measures of itself does not end the first run
	p := open(t, s.URL+"/")
	p.live()
	p.mark()
	const first = `document.querySelector("[data-home-first]")`
	line := evaluate[string](p, first+`.querySelector("code").innerText`)
	if want := "curl -d 42 " + strings.TrimPrefix(s.URL, "http://") + "/t/orders"; line != want {
		t.Errorf("the first run says %q, want %q", line, want)
	}
	if !evaluate[bool](p, first+`.checkVisibility()`) {
		t.Error("the first run does not show")
	}
	const card = `document.querySelector('[data-topics-rows] tr:has(a[href="/t/orders"])')`
	took := p.follows(func() { s.Push("orders", "42") }, card+`.checkVisibility() && !`+first+`.checkVisibility() && `+card+`.querySelector("[data-figure]").textContent === "42"`)
	t.Logf("the first push to its card: %v", took)
	p.follows(func() { s.Push("orders", "43") }, card+`.querySelector("[data-figure]").textContent === "43"`)
	p.checkNotReloaded()

	p.navigate(s.URL + "/")
	if evaluate[bool](p, first+`.checkVisibility()`) {
		t.Error("the first run shows again after a push")
	}
	p.live()
	p.follows(func() { s.Push("orders", "44") }, card+`.querySelector("[data-figure]").textContent === "44"`)
}
