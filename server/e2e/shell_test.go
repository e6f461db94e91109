//go:build e2e

package e2e_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// typed types a text into what has the focus.
func (p *tab) typed(text string) {
	p.t.Helper()
	for _, r := range text {
		p.press(string(r))
	}
}

// arrive waits for another page.
func (p *tab) arrive(path string) {
	p.t.Helper()
	for began := time.Now(); ; {
		ctx, cancel := context.WithTimeout(p.ctx, patience)
		at, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.readyState === "complete" ? location.pathname : ""`))
		cancel()
		if err == nil && strings.HasPrefix(at, path) {
			return
		}
		if time.Since(began) > patience {
			p.t.Fatalf("the page is %q (%v), want %s", at, err, path)
		}
	}
}

const openDialog = `[...document.querySelectorAll("dialog[open]")].find((d) => d.checkVisibility())`

func TestSearchFromAnywhere(t *testing.T) {
	s := start(t, "", nil)
	s.Push("orders?shop=berlin", "42")
	for _, path := range []string{"/", "/d/machine", "/docs", "/t/nobody"} { // on /topics the key filters the list
		p := open(t, s.URL+path)
		p.until(`document.readyState === "complete"`)
		p.press("/")
		p.until(openDialog + `?.querySelector("input") === document.activeElement`)
		p.typed("orders")
		p.until(openDialog + `.querySelector("[role=option]")?.innerText.includes("orders")`)
		p.press(kb.Enter)
		p.arrive("/t/orders")
	}
}

func TestKeys(t *testing.T) {
	s := machine(t, nil)
	s.Push("orders", "42")
	p := open(t, s.URL+"/d/machine")
	p.live()

	p.press("?")
	p.until(openDialog + `?.innerText.includes("Back to live") || ` + openDialog + `?.innerText.toLowerCase().includes("live")`)
	p.press(kb.Escape)
	p.until(`!` + openDialog)

	p.press("t")
	theme := evaluate[string](p, `document.documentElement.dataset.theme ?? ""`)
	p.press("t")
	p.until(`(document.documentElement.dataset.theme ?? "") !== "` + theme + `"`)

	p.press("f")
	p.until(`document.querySelector("[data-star]").getAttribute("aria-pressed") === "true"`)

	// Between panels by arrows, one full by Enter, its values by V.
	evaluate[bool](p, `document.querySelector("section.panel").focus(), true`)
	p.press(kb.ArrowRight)
	p.until(`document.activeElement === document.querySelectorAll("section.panel")[1]`)
	chart := `document.querySelector("section.panel.line, section.panel.stacked, section.panel.area")`
	evaluate[bool](p, chart+`.focus(), true`)
	p.press("v")
	p.until(chart + `.querySelector("table.values")?.checkVisibility()`)
	p.press("v")
	p.until(`!` + chart + `.querySelector("table.values")?.checkVisibility()`)
	p.press(kb.Enter)
	p.until(chart + `.classList.contains("full")`)
	p.press(kb.Escape)
	p.until(`!` + chart + `.classList.contains("full")`)

	p.navigate(s.URL + "/d/machine")
	p.live()
	p.press("w")
	p.until(`document.documentElement.dataset.view === "wall"`)
	p.live() // a board that is taller than the screen is loaded anew, in pages
	p.painted()
	if tall := evaluate[bool](p, `document.documentElement.scrollHeight > innerHeight`); tall {
		t.Error("the wall scrolls")
	}
	p.press(kb.Escape)
	p.until(`document.documentElement.dataset.view !== "wall"`)

	// A favourite stands first at home.
	p.navigate(s.URL + "/")
	p.until(`document.querySelector("[data-favourites]")?.innerText.includes("This machine")`)
}

func TestSingleKeysAreOffInFields(t *testing.T) {
	s := start(t, "", nil)
	s.Push("orders", "42")
	p := open(t, s.URL+"/topics")
	p.live()
	evaluate[bool](p, `document.querySelector("main input[type=search], main input").focus(), true`)
	p.typed("t?w")
	p.until(`document.querySelector("main input").value.endsWith("t?w")`)
	if evaluate[bool](p, `Boolean(`+openDialog+`)`) {
		t.Error("a key that was typed into a field opened a dialog")
	}
}

func TestHideAndDelete(t *testing.T) {
	s := start(t, "", nil)
	s.Push("orders", "42")
	s.Push("noise", "1")
	p := open(t, s.URL+"/t/noise")
	p.live()
	p.do(chromedp.Click(chromedp.CSS("[data-hide]")))
	p.until(`[...document.querySelectorAll("dialog[open] button")].length > 0 || document.querySelector("[data-hide]").innerText.includes("Show")`)
	if evaluate[bool](p, `Boolean(`+openDialog+`)`) {
		p.press(kb.Enter)
	}
	p.until(`(fetch("/topics").then((r) => r.text()).then((text) => { globalThis.listed = text.includes("/t/noise") }), globalThis.listed === false)`)
	if a := s.Do(http.MethodGet, "/t/noise", ""); a.Status != http.StatusOK {
		t.Errorf("a hidden topic has no page: %d", a.Status)
	}

	p.navigate(s.URL + "/t/orders")
	p.live()
	p.do(chromedp.Click(chromedp.CSS("[data-delete]")))
	p.until(openDialog + `?.innerText.includes("Delete orders")`)
	p.do(chromedp.Click(chromedp.JSPath(`(` + openDialog + `).querySelector("button.danger, button[value=delete], [data-confirm]")`)))
	p.arrive("/topics")
	if a := s.Do(http.MethodGet, "/t/orders?format=txt", ""); a.Status != http.StatusNotFound {
		t.Errorf("a deleted topic answers %d %s", a.Status, a.Body)
	}
}

// TestEverythingByKeyboard walks through each page with Tab: every control that
// can be seen gets the focus, and shows that it has it.
func TestEverythingByKeyboard(t *testing.T) {
	s := furnished(t)
	for _, path := range []string{"/", "/topics", "/t/orders", "/d/kinds", "/docs", "/docs/push", "/t/orders?view=upside-down"} {
		p := open(t, s.URL+path)
		p.until(`document.readyState === "complete" && document.fonts.status === "loaded"`)
		if strings.HasPrefix(path, "/d/") || path == "/" {
			p.live()
		}
		const controls = `[...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]")].filter((e) => e.tabIndex >= 0 && !e.disabled && e.checkVisibility({ visibilityProperty: true }) && !e.closest("dialog:not([open]), [popover]:not(:popover-open), [inert]"))`
		evaluate[int](p, `(globalThis.wanted = new Set(`+controls+`)).size`)
		missed := ``
		for range evaluate[int](p, `wanted.size`) + 10 {
			p.press(kb.Tab)
			missed = evaluate[string](p, `(() => {
				const at = document.activeElement;
				if (wanted.delete(at)) {
					const style = getComputedStyle(at);
					const ringed = (e) => e && (getComputedStyle(e).outlineStyle !== "none" && parseFloat(getComputedStyle(e).outlineWidth) >= 1 || getComputedStyle(e).boxShadow !== "none");
					if (!ringed(at) && !ringed(at.parentElement) && !ringed(at.closest("label, form, .field"))) return "without a ring: " + at.outerHTML.slice(0, 120);
				}
				return "";
			})()`)
			if missed != "" {
				t.Errorf("%s: %s", path, missed)
			}
		}
		if left := evaluate[[]string](p, `[...wanted].filter((e) => e.isConnected && e.tabIndex >= 0 && e.checkVisibility()).map((e) => e.outerHTML.slice(0, 120))`); len(left) > 0 {
			t.Errorf("%s: Tab does not reach %s", path, strings.Join(left, "\n"))
		}
	}
}
