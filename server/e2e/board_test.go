//go:build e2e

package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"readout/collectors"
	"readout/server"
	"readout/server/reading"
	"readout/server/servertest"
)

// machine starts a server that collects this machine, as `readout serve` does,
// and returns when everything has been collected once.
func machine(t *testing.T, change func(*server.Options)) *servertest.Server {
	t.Helper()
	s := start(t, "", change)
	list, err := collectors.NewHost("lab-1")
	if err != nil {
		t.Fatal(err)
	}
	into := &stored{Server: s, waiting: map[string]bool{"cpu": true, "memory": true, "filesystem": true}, seen: make(chan struct{})}
	runner, err := collectors.NewRunner(list, into, collectors.RunnerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	runner.Start(t.Context())
	t.Cleanup(runner.Stop)
	select {
	case <-into.seen:
	case <-time.After(patience):
		t.Fatalf("not collected: %v", into.waiting)
	}
	return s
}

// stored is a Sink into the server of a test.
type stored struct {
	*servertest.Server
	waiting map[string]bool // names of topics; only the runner's goroutines, one at a time
	seen    chan struct{}
}

func (s *stored) Describe(ctx context.Context, described collectors.Description) error {
	for topic, columns := range described {
		if err := s.Server.Describe(ctx, topic, columns); err != nil {
			return err
		}
	}
	return nil
}

func (s *stored) Append(ctx context.Context, readings []reading.Reading) error {
	if err := s.Server.Append(ctx, readings); err != nil {
		return err
	}
	if len(s.waiting) > 0 {
		for _, r := range readings {
			delete(s.waiting, r.Topic.Name())
		}
		if len(s.waiting) == 0 {
			close(s.seen)
		}
	}
	return nil
}

// panelOf is the panel of that title.
func panelOf(title string) string {
	return fmt.Sprintf(`[...document.querySelectorAll("section.panel")].find((e) => e.querySelector("[data-title]").textContent.trim() === %q)`, title)
}

// documents writes dashboards into a directory and returns it; write changes one.
func documents(t *testing.T, files map[string]string) (dir string, write func(name, text string)) {
	t.Helper()
	dir = t.TempDir()
	write = func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range files {
		write(name, text)
	}
	return dir, write
}

func with(dir string) func(*server.Options) {
	return func(o *server.Options) { o.Dashboards = dir }
}

func TestThisMachine(t *testing.T) {
	s := machine(t, nil)
	p := open(t, s.URL+"/d/machine")
	p.live()
	if n := evaluate[int](p, `document.querySelectorAll("section.panel").length`); n < 12 {
		t.Errorf("the dashboard of this machine has %d panels", n)
	}
	// Every second brings a new figure of what the processors do.
	busy := panelOf("CPU busy")
	p.until(busy + `?.classList.contains("live")`)
	evaluate[string](p, `globalThis.before = `+busy+`.querySelector("[data-figure]").textContent`)
	p.until(busy + `.querySelector("[data-figure]").textContent !== globalThis.before`)
	p.until(`/\d\s?ms/.test(document.querySelector("[data-readout-latency]")?.textContent ?? "")`)
	if _, _, sockets := p.reported(); len(sockets) != 1 {
		t.Errorf("the page has %d sockets, want 1", len(sockets))
	}
	for _, class := range []string{"error", "forbidden"} {
		if said := evaluate[string](p, fmt.Sprintf(`[...document.querySelectorAll("section.panel.%s")].map((e) => e.innerText).join("; ")`, class)); said != "" {
			t.Errorf("panels are %s: %s", class, said)
		}
	}
}

const everyKind = `readout: 1
title: Every kind
panels:
  - {title: Line, kind: line, topics: [load], legend: [last, min, max, avg], thresholds: [{at: 90, level: critical, name: full}]}
  - {title: Area, kind: area, topics: [load], columns: [a]}
  - {title: Stack, kind: stacked, topics: [load], unit: bytes}
  - {title: Stat, kind: stat, topics: [load], columns: [a], thresholds: [{at: 50, level: warn, name: high}]}
  - {title: Gauge, kind: gauge, topics: [load], columns: [b], min: 0, max: 100}
  - {title: Bars, kind: bars, topics: ['disk{mount=*}'], max: 100, unit: percent}
  - {title: Table, kind: table, topics: ['disk{mount=*}']}
  - {title: Timeline, kind: timeline, topics: ['service*']}
  - {title: Text, kind: text, text: "Ask **Ann** about [the shop](https://shop.example)."}
  - {title: Rate, kind: line, topics: [bytes], unit: bytes/s}
  - {title: Nothing, kind: line, topics: [nobody]}
`

// fillKinds pushes what everyKind shows.
func fillKinds(t *testing.T, s *servertest.Server) {
	t.Helper()
	now := time.Now().UnixMilli()
	var list []string
	for i := range 60 {
		at := now - int64(59-i)*2000
		list = append(list,
			fmt.Sprintf(`{"topic":"load","t":%d,"values":{"a":%d,"b":%d}}`, at, i, 20+i%7),
			fmt.Sprintf(`{"topic":"bytes","t":%d,"values":{"value":%d}}`, at, 1_000_000+i*4000))
		if i%20 == 0 {
			list = append(list,
				fmt.Sprintf(`{"topic":"service","t":%d,"value":%q}`, at, []string{"up", "down", "up"}[i/20]),
				fmt.Sprintf(`{"topic":"disk{mount=\"/\"}","t":%d,"value":%d}`, at, 40+i),
				fmt.Sprintf(`{"topic":"disk{mount=\"/var\"}","t":%d,"value":%d}`, at, 10+i))
		}
	}
	pushAll(t, s, `{"readings":[`+strings.Join(list, ",")+`],"describe":{"bytes":{"value":{"unit":"bytes","kind":"counter"}}}}`)
}

func TestEveryKindOfPanel(t *testing.T) {
	dir, _ := documents(t, map[string]string{"kinds.yaml": everyKind})
	s := start(t, "", with(dir))
	fillKinds(t, s)
	p := open(t, s.URL+"/d/kinds")
	p.live()
	for _, c := range []struct{ panel, holds string }{
		{"Line", `.querySelector("[data-chart].drawn canvas")`},
		{"Line", `.querySelector("[data-legend]").innerText.includes("59")`},
		{"Area", `.querySelector("[data-chart].drawn canvas")`},
		{"Stack", `.querySelector("[data-chart].drawn canvas")`},
		{"Stat", `.querySelector("[data-figure]").textContent === "59"`},
		{"Stat", `.querySelector("[data-chip-text]").textContent === "high"`},
		{"Stat", `.querySelector("[data-spark] path")`},
		{"Gauge", `.querySelector("[data-figure]").textContent === "23"`},
		{"Gauge", `.querySelector("svg.bar rect.fill").getAttribute("width") === "230"`},
		{"Bars", `.querySelectorAll("ul.bars li").length === 2`},
		{"Bars", `.querySelector("ul.bars li").innerText.includes("80")`}, // the larger one first
		{"Table", `.querySelectorAll("table.lines tbody tr").length === 2`},
		{"Timeline", `.querySelectorAll(".lane").length === 1`},
		{"Timeline", `.querySelectorAll(".lane rect.critical").length === 1`},
		{"Text", `.querySelector(".prose strong").textContent === "Ann"`},
		{"Rate", `.querySelector("[data-figure]").textContent === "2.00"`}, // 4,000 bytes in 2 s: 2 kB/s
		{"Nothing", `.innerText.includes("Nothing matches")`},
	} {
		p.until(panelOf(c.panel) + c.holds)
	}
	// Each moves: what is pushed stands in every panel that shows it within the promised time.
	p.follows(func() { s.Push("load", "a=77 b=50") }, panelOf("Stat")+`.querySelector("[data-figure]").textContent === "77"`)
	p.until(panelOf("Gauge") + `.querySelector("svg.bar rect.fill").getAttribute("width") === "500"`)
	p.until(panelOf("Line") + `.querySelector("[data-legend]").innerText.includes("77")`)
	p.follows(func() { s.Push("disk?mount=/data", "96") }, panelOf("Bars")+`.querySelectorAll("ul.bars li").length === 3`)
	p.until(panelOf("Bars") + `.querySelector("ul.bars li").innerText.includes("/data")`)
	p.until(panelOf("Table") + `.querySelectorAll("table.lines tbody tr").length === 3`)
	p.follows(func() { s.Push("service", "down") }, panelOf("Timeline")+`.querySelectorAll(".lane rect.critical").length === 2`)
	p.follows(func() { s.Push("nobody", "1") }, `!`+panelOf("Nothing")+`.innerText.includes("Nothing matches")`)
	p.unbroken()
}

// TestEveryKindWithoutScripts reads the figures that the server itself wrote.
func TestEveryKindWithoutScripts(t *testing.T) {
	dir, _ := documents(t, map[string]string{"kinds.yaml": everyKind})
	s := start(t, "", with(dir))
	fillKinds(t, s)
	p := newTab(t)
	if _, err := chromedp.Call(p.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	p.navigate(s.URL + "/d/kinds")
	for _, c := range []struct{ selector, text string }{
		{".panel.stat [data-figure]", "59"}, {".panel.gauge [data-figure]", "23"}, {".panel.bars li", "80"}, {".panel.table tbody tr", "80"},
		{".panel.timeline .lane .name", "service"}, {".panel.text strong", "Ann"}, {".panel.line table.legend", "59"},
	} {
		if text, err := chromedp.Run(p.ctx, chromedp.Text(chromedp.CSS(c.selector))); err != nil || !strings.Contains(text, c.text) {
			t.Errorf("%s says %q (%v), want %s", c.selector, text, err, c.text)
		}
	}
	for _, kind := range []string{"line", "area", "stacked"} {
		box, err := chromedp.Run(p.ctx, chromedp.Dimensions(chromedp.CSS(".panel."+kind+" [data-chart] svg path.ln")))
		if err != nil || box.Width < 50 || box.Height < 10 {
			t.Errorf("the lines of %s are drawn %+v large (%v)", kind, box, err)
		}
	}
}

const shop = `readout: 1
title: Shop
panels:
  - {title: %s, kind: stat, topics: [orders]}
  - {title: Door, kind: timeline, topics: [door]}
`

// TestAFileChangesAnOpenScreen edits the file of a dashboard while it is open.
func TestAFileChangesAnOpenScreen(t *testing.T) {
	dir, write := documents(t, map[string]string{"shop.yaml": fmt.Sprintf(shop, "Orders")})
	s := start(t, "", with(dir))
	s.Push("orders", "42")
	s.Push("door", "open")
	p := open(t, s.URL+"/d/shop")
	p.live()
	p.mark()
	p.until(panelOf("Orders"))
	took := p.follows(func() { write("shop.yaml", fmt.Sprintf(shop, "Orders today")) }, panelOf("Orders today")+`?.querySelector("[data-figure]").textContent === "42"`)
	t.Logf("from the file to the open screen: %v", took)
	p.follows(func() { s.Push("orders", "43") }, panelOf("Orders today")+`.querySelector("[data-figure]").textContent === "43"`)
	p.follows(func() {
		write("shop.yaml", fmt.Sprintf(shop, "Orders today")+"  - {title: More, kind: stat, topics: [more]}\n")
	}, panelOf("More"))

	// A mistake keeps the last good version and says where it is.
	p.follows(func() { write("shop.yaml", fmt.Sprintf(shop, "Orders today")+"    colour: red\n") }, `document.body.innerText.includes("shop.yaml:6")`)
	p.follows(func() { s.Push("orders", "44") }, panelOf("Orders today")+`.querySelector("[data-figure]").textContent === "44"`)
	p.checkNotReloaded()

	// One that was never right is an error page with the line.
	write("bad.yaml", "readout: 1\ntitle: Bad\npanels:\n  - {title: A, kind: pie, topics: [a]}\n")
	p.until(`(fetch("/d/bad").then((r) => { globalThis.bad = r.status }), globalThis.bad === 422)`)
	if a := s.Do(http.MethodGet, "/d/bad", ""); a.Status != http.StatusUnprocessableEntity || !strings.Contains(a.Body, "bad.yaml:4") {
		t.Errorf("a dashboard that is wrong: %d %s", a.Status, a.Body)
	}
}
