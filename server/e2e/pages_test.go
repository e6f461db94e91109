//go:build e2e

package e2e_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"readout/server"
	"readout/server/servertest"
)

// shown is a page that every viewer may meet.
type shown struct {
	name, path string
	sockets    int
	figure     string // a value that it shows
}

// orders is the last value of the topic of that name, as pages print it.
const orders = "1,284"

// pages are the pages of a server that fill has filled.
var pages = []shown{
	{"home", "/", 1, orders},
	{"topics", "/topics", 1, orders},
	{"topic", "/t/orders", 1, orders},
	{"lines", "/t/cpu%7Bhost%3D%22web1%22%7D", 1, ""},
	{"state", "/t/door", 1, "open"},
	{"nothing-yet", "/t/nobody/pushed/this", 1, ""},
	{"embed", "/t/orders?view=embed", 1, orders},
	{"embed-lines", "/t/cpu%7Bhost%3D%22web1%22%7D?view=embed&theme=light", 1, ""},
	{"error", "/t/orders?view=upside-down", 0, ""},
	{"dashboard", "/d/twenty", 1, orders},
	{"kinds", "/d/kinds", 1, "59"},
	{"wall", "/d/twenty?view=wall", 1, orders},
	{"embed-dashboard", "/d/kinds?view=embed", 1, "59"},
	{"automatic", "/d?match=cpu*", 1, ""},
	{"nothing-matches", "/d?match=nobody*", 1, ""},
	{"broken", "/d/broken", 0, ""},
	{"missing", "/d/nobody", 0, ""},
	{"docs", "/docs", 0, ""},
	{"docs-page", "/docs/dashboards", 0, ""},
	{"design", "/design", 0, ""},
}

// twenty is a dashboard as people have them: figures first, then pictures.
const twenty = `readout: 1
title: Shop, Berlin
description: Orders, and the machines behind them
panels:
  - {title: Orders, kind: stat, topics: [orders]}
  - {title: Memory used, kind: stat, topics: [memory]}
  - {title: In programs, kind: stat, topics: ['cpu{host=*}'], columns: [user], thresholds: [{at: 20, level: warn, name: busy}, {at: 60, level: critical}]}
  - {title: In the system, kind: stat, topics: ['cpu{host=*}'], columns: [system]}
  - {title: Checkout, kind: stat, topics: ['http_request_duration{route=*}'], columns: [p50]}
  - {title: Door, kind: stat, topics: [door]}
  - {title: CPU by mode, kind: stacked, topics: ['cpu{host=*}'], max: 100}
  - {title: Checkout, kind: line, topics: ['http_request_duration{route=*}'], legend: [last, min, max, avg], thresholds: [{at: 0.4, level: warn, name: slow}]}
  - {title: Memory, kind: area, topics: [memory], width: 4}
  - {title: Orders today, kind: line, topics: [orders], width: 4}
  - {title: Written, kind: line, topics: [bytes], width: 4}
  - {title: File systems, note: used, kind: bars, topics: ['disk{mount=*}'], unit: percent, max: 100, width: 4, thresholds: [{at: 50, level: warn}, {at: 90, level: critical}]}
  - {title: Doors, kind: timeline, topics: ['door*'], width: 4}
  - {title: Disks, kind: table, topics: ['disk{mount=*}'], unit: percent, width: 4}
  - {title: Load a, kind: gauge, topics: [load], columns: [a], max: 100, thresholds: [{at: 50, level: warn}], width: 3}
  - {title: Load b, kind: gauge, topics: [load], columns: [b], max: 100, width: 3}
  - {title: Load, kind: line, topics: [load], width: 6}
  - {title: Waiting for disks, kind: line, topics: ['cpu{host=*}'], columns: [iowait], width: 4}
  - {title: Nothing yet, kind: line, topics: ['orders{shop="paris"}'], width: 4}
  - {title: On call, kind: text, width: 4, height: 5, text: "**Ann**, then Ben. The [runbook](https://runbook.example) says what to do."}
`

// furnished starts a server on which every page has something to show.
func furnished(t *testing.T) *servertest.Server {
	t.Helper()
	dir, _ := documents(t, map[string]string{"kinds.yaml": everyKind, "twenty.yaml": twenty, "broken.yaml": "readout: 1\ntitle: Broken\npanels:\n  - {title: A, kind: pie, topics: [a]}\n"})
	s := start(t, "", func(o *server.Options) { o.Dashboards, o.Development = dir, true })
	fill(t, s)
	fillKinds(t, s)
	return s
}

// fill pushes five minutes of a few topics that look like those of real users.
func fill(t *testing.T, s *servertest.Server) {
	t.Helper()
	const steps, apart = 100, 3000 // ms
	now := time.Now().UnixMilli()
	var readings []string
	add := func(i int, topic, values string, args ...any) {
		readings = append(readings, fmt.Sprintf(`{"topic":%q,"t":%d,"values":{%s}}`, topic, now-int64(steps-1-i)*apart, fmt.Sprintf(values, args...)))
	}
	const cpu, request = `cpu{host="web1"}`, `http_request_duration{route="/checkout",method="POST"}`
	for i := range steps {
		x := float64(i) / 9
		add(i, "orders", `"value":%d`, 1284-(steps-1-i))
		add(i, "memory", `"used":%.0f`, 6.2e9+3e8*math.Sin(x/2))
		add(i, cpu, `"user":%.2f,"system":%.2f,"iowait":%.2f`, 30+18*math.Sin(x), 12+5*math.Sin(1.7*x), 2+math.Sin(3*x))
		add(i, request, `"p50":%.4f,"p99":%.4f`, 0.041+0.01*math.Sin(x), 0.31+0.2*math.Sin(2*x))
		if i%40 == 0 {
			add(i, "door", `"value":%q`, []string{"open", "closed", "open"}[i/40])
		}
	}
	describe := fmt.Sprintf(`{"memory":{"used":{"unit":"bytes"}},%q:{"user":{"unit":"percent"},"system":{"unit":"percent"},"iowait":{"unit":"percent"}},%q:{"p50":{"unit":"seconds"},"p99":{"unit":"seconds"}}}`, cpu, request)
	pushAll(t, s, `{"readings":[`+strings.Join(readings, ",")+`],"describe":`+describe+`}`)
}

// settled waits until a page shows what it will show, drawn by its script.
func (p *tab) settled(of shown) {
	p.t.Helper()
	p.until(`document.fonts.status === "loaded"`)
	if of.sockets > 0 {
		p.live()
		p.until(`[...document.querySelectorAll("[data-chart]")].every((e) => !e.checkVisibility() || e.getBoundingClientRect().top > innerHeight || e.classList.contains("drawn"))`)
	}
	if of.figure != "" {
		p.until(shows(of.figure))
	}
}

// shows is the condition that some panel of a page shows a figure.
func shows(figure string) string {
	return `[...document.querySelectorAll("[data-figure]")].some((e) => e.checkVisibility() && e.textContent === "` + figure + `")`
}

// prefer sets what the viewer's system says about colours: light or dark.
func (p *tab) prefer(scheme string) {
	p.t.Helper()
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
	if _, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, media); err != nil {
		p.t.Fatal(err)
	}
}

// painted waits until the page has drawn itself anew after a change of its
// screen: its transitions have ended, and in the second frame from then on the
// first one is on the screen.
func (p *tab) painted() {
	p.t.Helper()
	evaluate[bool](p, `(async () => {
		const frame = () => new Promise(requestAnimationFrame);
		await frame();
		await Promise.allSettled(document.getAnimations().filter((a) => a instanceof CSSTransition).map((a) => a.finished));
		await frame();
		await frame();
		return true;
	})()`, chromedp.EvalAwaitPromise)
}
