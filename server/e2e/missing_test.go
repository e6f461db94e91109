//go:build e2e

package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"readout/server"
	"readout/server/reading"
	"readout/server/servertest"
	"readout/server/store"
)

const gappy = `readout: 1
title: Shop
window: 5m
panels:
  - {title: Orders, kind: stat, topics: orders, width: 3, height: 3}
  - {title: Stock, kind: gauge, topics: stock, min: 0, max: 100, width: 3, height: 3}
  - {title: Doors, kind: timeline, topics: door, width: 6, height: 4}
  - {title: Shops, kind: table, topics: [orders, stock], width: 6, height: 5}
  - {title: Both, kind: bars, topics: [orders, stock], width: 3, height: 4}
  - {title: Course, kind: line, topics: orders, width: 3, height: 4}
`

// TestEveryPanelSaysWhatIsMissing leaves a page for a while, in which readings come
// and are trimmed, and then takes its history away: the panels that draw no course
// of time say both in the words of those that do, on the board and in an embed.
// Pictures are kept with -artifacts -outputdir=DIR.
func TestEveryPanelSaysWhatIsMissing(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "shop.yaml"), []byte(gappy), 0o644); err != nil {
		t.Fatal(err)
	}
	r := servertest.Redis(t)
	s := start(t, r.URL(), func(o *server.Options) { o.Dashboards, o.Linger = dir, time.Millisecond })
	topics := map[reading.Topic]string{"orders": "7", "stock": "40", "door": "open"}
	push := func() {
		for topic, value := range topics {
			s.Push(string(topic), value)
		}
	}
	for range 5 {
		push()
	}
	const (
		said     = `[...document.querySelectorAll(".missing:not([hidden])")].map((e) => e.textContent).join("; ")`
		leave    = `void window.dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true }))`
		comeBack = `void window.dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }))`
	)
	for name, row := range map[string]struct {
		path    string
		gap     string
		panels  int
		sizes   [][2]int64
		notable string // what else says it
	}{
		"board":      {"/d/shop", "17 lost, trimmed", 5, [][2]int64{{1440, 900}, {390, 844}}, `document.querySelector(".timeline .lane .say").textContent.startsWith("17 lost, trimmed")`},
		"embed":      {"/t/door?view=embed", "17 lost, trimmed", 1, [][2]int64{{600, 240}, {300, 100}}, "true"},
		"embed-stat": {"/d/shop?view=embed", "17 lost, trimmed", 5, [][2]int64{{1440, 900}}, `document.querySelector("td.name.lost").title === "17 lost, trimmed"`},
	} {
		p := open(t, s.URL+row.path)
		p.live()
		evaluate[chromedp.Void](p, leave)
		eventually(t, "nobody watches", func() bool { return metric(s, "readout_streamers") == 0 })
		for range 18 {
			push()
		}
		for topic := range topics {
			r.Do("XTRIM", store.Key(topic), "MAXLEN", "1")
		}
		announced := p.watch(fmt.Sprintf(`document.querySelector("[data-announce]").textContent.includes(%q)`, row.gap))
		evaluate[chromedp.Void](p, comeBack)
		p.until(fmt.Sprintf(`(%s).split("; ").filter((text) => text.startsWith(%q)).length === %d`, said, row.gap, row.panels))
		p.until(row.notable)
		if row.panels == 1 { // of several the last word stands
			announced()
		}
		p.pictures(name+"-gap", row.sizes)
		push()
		p.live()

		began := time.Now()
		r.Do("FLUSHALL")
		push()
		p.until(fmt.Sprintf(`(%s).split("; ").filter((text) => text.includes("store replaced")).length === %d`, said, row.panels))
		t.Logf("%s: said %v after the history was gone", name, time.Since(began).Round(time.Millisecond))
		p.pictures(name+"-reset", row.sizes)
		p.unbroken()
		p.navigate("about:blank")
		for range 5 {
			push()
		}
	}
}

// pictures keeps what a page looks like, in all its sizes and both schemes, and
// holds it to the width of its screen.
func (p *tab) pictures(name string, sizes [][2]int64) {
	p.t.Helper()
	for _, size := range sizes {
		p.do(chromedp.EmulateViewport(size[0], size[1]))
		for _, scheme := range []string{"dark", "light"} {
			p.prefer(scheme)
			p.painted()
			file := fmt.Sprintf("%s-%d-%s.png", name, size[0], scheme)
			if wide := evaluate[int64](p, `document.documentElement.scrollWidth`); wide > size[0] {
				p.t.Errorf("%s is %d px wide", file, wide)
			}
			picture, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
			if err != nil {
				p.t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(p.t.ArtifactDir(), strings.ReplaceAll(file, "/", "-")), picture, 0o644); err != nil {
				p.t.Fatal(err)
			}
		}
	}
}
