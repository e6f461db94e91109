//go:build e2e

package e2e_test

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"readout/server/servertest"
)

const (
	// hasten lets long waits of a page pass thirty times as fast: those between two
	// tries of what is blocked, which are half a minute and longer.
	hasten = `{
		const plain = window.setTimeout;
		window.setTimeout = (f, ms, ...args) => plain(f, ms >= 20_000 ? ms / 30 : ms, ...args);
	}`
	// collect keeps every number that the page's table of values ever showed.
	collect = `{
		const table = document.querySelector("[data-values]");
		table.open = true;
		globalThis.collected = new Set();
		const look = () => { for (const row of table.querySelectorAll("tbody tr")) collected.add(row.lastElementChild.textContent.trim()) };
		new MutationObserver(look).observe(table, { childList: true, characterData: true, subtree: true });
		look();
	}`
	// unhurried leaves the table of values, which has twenty lines, six seconds to
	// show a number: longer than a page may be without a connection.
	unhurried = 300 * time.Millisecond

	violations = `document.documentElement.dataset.violations`
)

// by holds when a page is live by this transport.
func by(transport string) string {
	return fmt.Sprintf(`document.documentElement.dataset.link === "live" && document.documentElement.dataset.transport === %q`, transport)
}

// before runs a script in every page of the tab before the page's own.
func (p *tab) before(script string) {
	p.t.Helper()
	if _, err := chromedp.Call(p.ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: script}); err != nil {
		p.t.Fatal(err)
	}
}

// opened is when the browser began to load the page.
func (p *tab) opened() time.Time {
	p.t.Helper()
	return time.UnixMicro(int64(evaluate[float64](p, `performance.timeOrigin * 1000`)))
}

// unbroken fails the test when the page counts a message that does not go on
// where the one before it ended.
func (p *tab) unbroken() {
	p.t.Helper()
	if got := evaluate[string](p, violations); got != "0" {
		p.t.Errorf("the page counts %s breaks of the chain of messages", got)
	}
}

// checkCollected fails the test unless the page has shown every number from 1 to last.
func (p *tab) checkCollected(last int) {
	p.t.Helper()
	p.until(fmt.Sprintf(`collected.has("%d")`, last))
	all := evaluate[[]string](p, `[...collected]`)
	var missing []int
	for n := 1; n <= last; n++ {
		if !slices.Contains(all, strconv.Itoa(n)) {
			missing = append(missing, n)
		}
	}
	if len(missing) > 0 {
		p.t.Errorf("of %d numbers the page never showed %v", last, missing)
	}
}

// TestBlockedWebSocket loads a page through gateways that let no WebSocket
// through. It is live in time by what they do let through, says so, returns when
// it may, and on the way shows every reading.
func TestBlockedWebSocket(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		upgrades answer
		buffers  bool
		by, says string
		within   time.Duration // from the navigation to live
	}{
		{"refused with 403", forbids, false, "sse", "event stream", 3 * time.Second},
		{"never answered", swallows, false, "sse", "event stream", 3 * time.Second},
		{"refused with 400, and event streams are held back", rejects, true, "poll", "polling", 5 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, "", nil)
			g := newGateway(t, s)
			g.set(c.upgrades, c.buffers)
			s.Push("orders", "1")
			p := newTab(t)
			p.before(hasten)
			p.navigate(g.url + "/t/orders")
			isLive := p.watch(by(c.by))
			evaluate[chromedp.Void](p, collect)
			stop := counting(t, s, "orders", 2, unhurried)
			took := isLive().Sub(p.opened())
			t.Logf("from the navigation to live by %s: %v", c.by, took.Round(time.Millisecond))
			if took > c.within {
				t.Errorf("live by %s after %v, want at most %v", c.by, took, c.within)
			}
			p.until(`document.body.innerText.includes("WebSocket is blocked")`)
			p.until(fmt.Sprintf(`document.body.innerText.includes(%q)`, c.says))

			g.set(passes, c.buffers)
			p.until(by("websocket"))
			p.until(`!document.body.innerText.includes("WebSocket is blocked")`)
			last := stop()
			p.checkCollected(last)
			p.unbroken()
		})
	}
}

// TestBlockedInASandbox is the same in a sandboxed frame of another site. Its
// allow-same-origin leaves it the origin of the embed, not that of the site.
func TestBlockedInASandbox(t *testing.T) {
	t.Parallel()
	s := start(t, "", allow("http://localhost:*"))
	g := newGateway(t, s)
	s.Push("orders", "41")
	first := g.url + "/t/orders?view=embed"
	second := first + "&theme=light"
	outer := open(t, host(t, first, `sandbox="allow-scripts allow-same-origin"`))
	inner := outer.frame(first)
	if inner == nil {
		t.Fatal("the frame of another site does not show the embed that may stand there")
	}
	inner.before(hasten)
	g.set(swallows, false)
	evaluate[chromedp.Void](outer, fmt.Sprintf(`document.querySelector("iframe").src = %q`, second))
	eventually(t, "the frame shows another page", func() bool {
		inner = outer.frame(second)
		return inner != nil
	})
	inner.until(by("sse"))
	const figure = `document.querySelector(".now [data-figure]").textContent`
	s.Push("orders", "42")
	inner.until(figure + ` === "42"`)
	g.set(passes, false)
	inner.until(by("websocket"))
	s.Push("orders", "43")
	inner.until(figure + ` === "43"`)
	inner.unbroken()
}

// TestBlockedIsRemembered opens a second page in a tab whose first one found out
// that WebSockets are blocked: it does not wait to find out again.
func TestBlockedIsRemembered(t *testing.T) {
	t.Parallel()
	s := start(t, "", nil)
	g := newGateway(t, s)
	g.set(swallows, false)
	s.Push("orders", "41")
	p := open(t, g.url+"/t/orders")
	p.until(by("sse"))
	tried := g.requests("UPGRADE /live")
	p.navigate(g.url + "/topics")
	p.until(by("sse"))
	if again := g.requests("UPGRADE /live"); again != tried {
		t.Errorf("the second page tried a WebSocket %d times before it was live", again-tried)
	}
}

// TestALostMessage loses one message of a WebSocket on its way: the page notices
// and tells the server, whose metrics show it.
func TestALostMessage(t *testing.T) {
	t.Parallel()
	s := start(t, servertest.Redis(t).URL(), nil)
	g := newGateway(t, s)
	s.Push("orders", "1")
	p := open(t, g.url+"/t/orders")
	p.until(by("websocket"))
	s.Push("orders", "2")
	p.until(shows("2"))
	g.dropNext(1)
	s.Push("orders", "3")
	eventually(t, "the message is lost", func() bool { return g.dropping() == 0 })
	s.Push("orders", "4")
	p.until(shows("4"))
	p.until(violations + ` === "1"`)
	eventually(t, "the server counts it", func() bool { return metric(s, "readout_chain_violations_total") == 1 })
	s.Push("orders", "5")
	p.until(shows("5"))
	if got := evaluate[string](p, violations); got != "1" {
		t.Errorf("one message was lost, and the page counts %s breaks of the chain", got)
	}
	if got := metric(s, "readout_chain_violations_total"); got != 1 {
		t.Errorf("one message was lost, and the server counts %v", got)
	}
	p.navigate("about:blank") // a page that is left says what it has not said yet
	eventually(t, "the page tells how long readings took to the screen", func() bool { return metric(s, "readout_paint_seconds_count") >= 3 })
}

// metric returns the sum of what /metrics says of a name.
func metric(s *servertest.Server, name string) (sum float64) {
	for line := range strings.Lines(s.Do(http.MethodGet, "/metrics", "").Body) {
		series, value, found := strings.Cut(strings.TrimSpace(line), " ")
		if of, _, _ := strings.Cut(series, "{"); !found || of != name {
			continue
		}
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			sum += v
		}
	}
	return sum
}

// eventually waits until something holds outside of the page.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !holds(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}
