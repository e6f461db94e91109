//go:build e2e

package e2e_test

import (
	"fmt"
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"readout/server/servertest"
)

// readChart lets a test read a chart's canvas by its pixels; it knows nothing of
// the library that draws it or of its data. tip() finds where the line ends: the
// disc in the colour of the first line whose right edge is furthest to the right.
// inked(from, to, y) says whether that colour stands in a row, between two
// distances from the right edge.
const readChart = `(() => {
	const ink = () => {
		const host = document.querySelector("[data-chart]");
		const canvas = host.querySelector("canvas");
		const copy = document.createElement("canvas");
		const { width, height } = canvas;
		Object.assign(copy, { width, height });
		const pen = copy.getContext("2d", { willReadFrequently: true });
		pen.drawImage(canvas, 0, 0);
		const probe = document.createElement("span");
		probe.style.color = "var(--s1)";
		host.append(probe);
		const line = getComputedStyle(probe).color.match(/\d+/g).map(Number);
		probe.remove();
		const { data } = pen.getImageData(0, 0, width, height);
		const at = (x, y) => {
			const i = 4 * (y * width + x);
			return data[i + 3] > 220 && line.every((v, c) => Math.abs(v - data[i + c]) < 40);
		};
		return { width, height, at };
	};
	globalThis.tip = () => {
		const { width, height, at } = ink();
		for (let x = width - 1; x >= 0; x--) {
			const rows = [...Array(height).keys()].filter((y) => at(x, y));
			if (rows.length > 0) return { fromRight: width - x, y: rows.reduce((a, b) => a + b) / rows.length };
		}
		return null;
	};
	globalThis.inked = (from, to, y) => {
		const { width, at } = ink();
		for (let x = width - to; x <= width - from; x++) if (at(x, Math.round(y))) return true;
		return false;
	};
})()`

// lineEnd is where tip finds it, in px of the canvas.
type lineEnd struct {
	FromRight float64 `json:"fromRight"`
	Y         float64 `json:"y"`
}

// pushAll pushes readings with times of their own, in one request.
func pushAll(t *testing.T, s *servertest.Server, body string) {
	t.Helper()
	if a := s.Do(http.MethodPost, "/api/v1/readings", body, "Content-Type", "application/json"); a.Status != http.StatusOK {
		t.Fatalf("push %s: %d %s", body, a.Status, a.Body)
	}
}

func TestPageMoves(t *testing.T) {
	s := start(t, "", nil)
	old := time.Now().Add(-2 * time.Minute).UnixMilli()
	pushAll(t, s, fmt.Sprintf(`[{"topic":"orders","t":%d,"value":0},{"topic":"orders","t":%d,"value":100}]`, old, old+30_000))
	p := open(t, s.URL+"/t/orders")
	p.live()
	evaluate[chromedp.Void](p, readChart)
	p.until(`document.querySelector("[data-chart].drawn canvas") && tip()`)
	const figure = `document.querySelector("[data-value] [data-figure]").textContent`
	if got := evaluate[string](p, figure); got != "100" {
		t.Errorf("before the push the value is %q, want 100", got)
	}
	top := evaluate[lineEnd](p, `tip()`)
	if top.FromRight < 100 {
		t.Errorf("a reading of 90 s ago is drawn %.0f px from the right edge", top.FromRight)
	}

	// The right edge is now, so the newest reading is drawn next to it.
	const atEdge = `tip().fromRight < 20`
	p.follows(func() { s.Push("orders", "0") }, atEdge)
	bottom := evaluate[lineEnd](p, `tip()`)
	want := bottom.Y - 0.25*(bottom.Y-top.Y)
	if bottom.Y-top.Y < 100 {
		t.Fatalf("0 and 100 are drawn %.0f px apart: the canvas is not read right", bottom.Y-top.Y)
	}
	value := p.watch(figure + ` === "25"`)
	// Its end stands at 25, and a line leads there from 0.
	drawn := p.watch(fmt.Sprintf(`%s && Math.abs(tip().y - %f) < 2.5 && inked(tip().fromRight, tip().fromRight + 10, %f)`, atEdge, want, (want+bottom.Y)/2))
	began := time.Now()
	s.Push("orders", "25")
	stored := time.Since(began)
	for what, took := range map[string]time.Duration{"value": value().Sub(began), "chart": drawn().Sub(began)} {
		t.Logf("push to %s: %v (the push was answered after %v)", what, took.Round(time.Millisecond/10), stored.Round(time.Millisecond/10))
		if took > promised {
			t.Errorf("the %s changed %v after the push, want at most %v", what, took, promised)
		}
	}
	if got := evaluate[lineEnd](p, `tip()`); math.Abs(got.Y-want) > 2.5 {
		t.Errorf("25 is drawn at %.1f px, want %.1f between 0 at %.1f and 100 at %.1f", got.Y, want, bottom.Y, top.Y)
	}
	p.unbroken()
}

func TestWithoutScripts(t *testing.T) {
	s := start(t, "", nil)
	now := time.Now().UnixMilli()
	pushAll(t, s, fmt.Sprintf(`[{"topic":"orders","t":%d,"value":7},{"topic":"orders","t":%d,"value":12},{"topic":"orders","t":%d,"value":42}]`, now-60_000, now-30_000, now))
	p := newTab(t)
	if _, err := chromedp.Call(p.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	p.navigate(s.URL + "/t/orders")
	if text, err := chromedp.Run(p.ctx, chromedp.Text(chromedp.CSS("[data-value] [data-figure]"))); err != nil || text != "42" {
		t.Errorf("the value is %q (%v), want 42", text, err)
	}
	box, err := chromedp.Run(p.ctx, chromedp.Dimensions(chromedp.CSS("[data-chart] svg path.ln")))
	if err != nil || box.Width < 50 || box.Height < 20 {
		t.Errorf("the line is drawn %+v large (%v), want a real one", box, err)
	}
	if _, _, sockets := p.reported(); len(sockets) != 0 {
		t.Error("a page without scripts opened a socket: scripts were not off")
	}
	if text, err := chromedp.Run(p.ctx, chromedp.Text(chromedp.CSS("noscript"))); err != nil || text == "" {
		t.Errorf("the page does not say that scripts are off: %q, %v", text, err)
	}
}
