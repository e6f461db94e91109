//go:build e2e

package e2e_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

const period = `document.querySelector("[data-period]").textContent`

// press types one key as a person does: the character is part of the press, so
// that a page that takes the key keeps the character out of its fields.
func (p *tab) press(key string) {
	p.t.Helper()
	for _, r := range key {
		k, ok := kb.Keys[r]
		if !ok {
			p.t.Fatalf("no key types %q", r)
		}
		event := input.DispatchKeyEventParams{
			Type: input.DispatchKeyEventTypeKeyDown, Key: k.Key, Code: k.Code, WindowsVirtualKeyCode: k.Windows,
			Text: k.Text, UnmodifiedText: k.Unmodified,
		}
		if k.Shift {
			event.Modifiers = 8
		}
		for _, event.Type = range []input.DispatchKeyEventType{input.DispatchKeyEventTypeKeyDown, input.DispatchKeyEventTypeKeyUp} {
			if _, err := chromedp.Call(p.ctx, input.DispatchKeyEvent, event); err != nil {
				p.t.Fatal(err)
			}
			event.Text, event.UnmodifiedText = "", ""
		}
	}
}

// box is where an element stands on the screen, in px.
type box struct{ X, Y, Width, Height float64 }

func (p *tab) box(element string) box {
	p.t.Helper()
	return evaluate[box](p, `(() => { const { x, y, width, height } = `+element+`.getBoundingClientRect(); return { X: x, Y: y, Width: width, Height: height } })()`)
}

// mouse moves, presses or releases the left button.
func (p *tab) mouse(kind input.DispatchMouseEventType, x, y float64, held bool) {
	p.t.Helper()
	event := input.DispatchMouseEventParams{Type: kind, X: x, Y: y}
	if held || kind != input.DispatchMouseEventTypeMouseMoved {
		event.Button = input.MouseButtonLeft
	}
	if held {
		event.Buttons = 1
	}
	if kind != input.DispatchMouseEventTypeMouseMoved {
		event.ClickCount = 1
	}
	if _, err := chromedp.Call(p.ctx, input.DispatchMouseEvent, event); err != nil {
		p.t.Fatal(err)
	}
}

const twoCharts = `readout: 1
title: Two charts
panels:
  - {title: First, kind: line, topics: [first]}
  - {title: Second, kind: line, topics: [second], columns: [x, y]}
`

func TestTimeOfAllPanels(t *testing.T) {
	dir, _ := documents(t, map[string]string{"two.yaml": twoCharts})
	s := start(t, "", with(dir))
	now := time.Now().UnixMilli()
	var list string
	for i := range 120 {
		list += fmt.Sprintf("{\"topic\":\"first\",\"t\":%d,\"value\":%d}\n{\"topic\":\"second\",\"t\":%d,\"values\":{\"x\":%d,\"y\":%d}}\n",
			now-int64(119-i)*2000, i, now-int64(119-i)*2000, 2*i, 500-i)
	}
	if a := s.Do(http.MethodPost, "/api/v1/readings", list, "Content-Type", "application/x-ndjson"); a.Status != http.StatusOK {
		t.Fatal(a.Status, a.Body)
	}
	p := open(t, s.URL+"/d/two")
	p.live()
	for _, title := range []string{"First", "Second"} {
		p.until(panelOf(title) + `.querySelector("[data-chart].drawn canvas")`)
	}

	t.Run("window", func(t *testing.T) {
		p.t = t
		p.press("3")
		p.until(`new URL(location.href).searchParams.get("window") === "15m"`)
		p.press("1")
		p.until(`new URL(location.href).searchParams.get("window") === "1m"`)
		p.press("2")
		p.until(`new URL(location.href).searchParams.get("window") === "5m"`)
	})

	t.Run("crosshair", func(t *testing.T) {
		p.t = t
		first := p.box(panelOf("First") + `.querySelector("[data-chart] .plot-area")`)
		newest := panelOf("Second") + `.querySelector(".rail b").textContent`
		at := evaluate[string](p, newest)
		p.mouse(input.DispatchMouseEventTypeMouseMoved, first.X+first.Width*0.7, first.Y+first.Height/2, false)
		// The rail of the other panel shows the values of that moment.
		p.until(newest + ` !== "` + at + `"`)
		p.mouse(input.DispatchMouseEventTypeMouseMoved, 2, 2, false)
		p.until(newest + ` === "` + at + `"`)
	})

	t.Run("pause", func(t *testing.T) {
		p.t = t
		p.press(" ")
		p.until(`/Paused/.test(document.querySelector("header.topbar").innerText)`)
		for range 3 {
			s.Push("first", "777")
		}
		p.until(`/\b3 waiting/.test(document.querySelector("header.topbar").innerText)`)
		if got := evaluate[string](p, panelOf("First")+`.querySelector("[data-figure]").textContent`); got != "119" {
			t.Errorf("a paused picture shows %s, want 119", got)
		}
		p.press("l")
		p.until(panelOf("First") + `.querySelector("[data-figure]").textContent === "777"`)
		p.until(`!/Paused/.test(document.querySelector("header.topbar").innerText)`)
	})

	t.Run("zoom", func(t *testing.T) {
		p.t = t
		chart := p.box(panelOf("First") + `.querySelector("[data-chart] .plot-area")`)
		before := evaluate[string](p, period)
		y := chart.Y + chart.Height/2
		p.mouse(input.DispatchMouseEventTypeMousePressed, chart.X+chart.Width*0.5, y, false)
		p.mouse(input.DispatchMouseEventTypeMouseMoved, chart.X+chart.Width*0.6, y, true)
		p.mouse(input.DispatchMouseEventTypeMouseMoved, chart.X+chart.Width*0.7, y, true)
		p.mouse(input.DispatchMouseEventTypeMouseReleased, chart.X+chart.Width*0.7, y, false)
		p.until(`document.querySelector("[data-live]")?.checkVisibility()`)
		zoomed := p.watch(period + ` !== "` + before + `"`)
		zoomed()
		p.mouse(input.DispatchMouseEventTypeMouseMoved, 2, 2, false)
		still := evaluate[string](p, period)
		s.Push("first", "778")
		p.painted()
		if got := evaluate[string](p, period); got != still {
			t.Errorf("a zoomed picture moves on from %s to %s", still, got)
		}
		p.press("l")
		p.until(panelOf("First") + `.querySelector("[data-figure]").textContent === "778"`)
	})

	t.Run("UTC", func(t *testing.T) {
		p.t = t
		p.press("u")
		p.until(period + `.endsWith("UTC")`)
	})
	p.unbroken()
}

// TestHiddenTab counts what the server sends to a tab that nobody looks at.
func TestHiddenTab(t *testing.T) {
	s := start(t, "", nil)
	s.Push("orders", "0")
	p := open(t, s.URL+"/t/orders")
	p.live()
	n := 0
	received := func() (bytes int) {
		_, _, sockets := p.reported()
		for _, f := range sockets[len(sockets)-1].frames {
			bytes += len(f.Raw)
		}
		return bytes
	}
	push := func() {
		for range 100 {
			n++
			s.Push("orders", fmt.Sprint(n))
		}
	}
	from := received()
	push()
	p.until(shows("100"))
	seen := received() - from

	hide := func(state string) {
		evaluate[bool](p, fmt.Sprintf(`(() => {
			Object.defineProperty(document, "visibilityState", { value: %q, configurable: true });
			Object.defineProperty(document, "hidden", { value: %t, configurable: true });
			document.dispatchEvent(new Event("visibilitychange"));
			return true;
		})()`, state, state == "hidden"))
	}
	hide("hidden")
	p.until(`true`)
	sent := func() bool {
		_, _, sockets := p.reported()
		for _, m := range sockets[len(sockets)-1].sent {
			if m == `{"type":"pause"}` {
				return true
			}
		}
		return false
	}
	for began := time.Now(); !sent(); {
		if time.Since(began) > patience {
			t.Fatal("a hidden tab does not ask for a pause")
		}
	}
	from = received()
	push()
	// The page itself has asked the server since: what was sent before has come.
	p.until(`(fetch("/t/orders?format=txt").then((r) => r.text()).then((text) => { globalThis.stored = text.trim() }), globalThis.stored === "200")`)
	hidden := received() - from
	t.Logf("100 readings: %d bytes to a visible tab, %d to a hidden one", seen, hidden)
	if hidden > seen/20 {
		t.Errorf("a hidden tab was sent %d bytes, a visible one %d: want 95 %% less", hidden, seen)
	}
	took := p.follows(func() { hide("visible") }, shows("200"))
	t.Logf("from visible again to the newest value: %v", took)
	p.unbroken()
}
