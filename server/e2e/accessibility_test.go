//go:build e2e

package e2e_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

const axePath = "../../static/node_modules/axe-core/axe.min.js"

type violation struct {
	ID      string `json:"id"`
	Impact  string `json:"impact"`
	Help    string `json:"help"`
	Targets []struct {
		Where string `json:"where"`
		Why   string `json:"why"`
	} `json:"targets"`
}

// audit runs axe-core, which is in the page already.
const audit = `axe.run(document, { resultTypes: ["violations"]%s }).then(({ violations }) => violations.map((v) => ({
	id: v.id, impact: v.impact, help: v.help,
	targets: v.nodes.map((n) => ({ where: n.target.join(" "), why: n.failureSummary })),
})))`

// TestAccessibility finds no violation of any rule of axe-core on any page. The
// light and the dark theme are the same page but for its colours.
func TestAccessibility(t *testing.T) {
	axe, err := os.ReadFile(axePath)
	if err != nil {
		t.Fatalf("axe-core is not there (%v); get it: %s", err, buildScripts)
	}
	s := furnished(t)
	empty := start(t, "", nil)
	p := newTab(t)
	check := func(page shown, address string) {
		p.prefer("light")
		p.navigate(address)
		p.settled(page)
		evaluate[chromedp.Void](p, string(axe)+"\nundefined")
		p.audit(page.name+", light", "")
		p.prefer("dark")
		p.audit(page.name+", dark", `, runOnly: ["color-contrast", "link-in-text-block"]`)
	}
	for _, page := range pages {
		check(page, s.URL+page.path)
	}
	check(shown{name: "first run", sockets: 1}, empty.URL+"/")
	check(shown{name: "no topics", sockets: 1}, empty.URL+"/topics")

	// What opens over a page, and a page in other states.
	p.prefer("light")
	p.navigate(s.URL + "/d/twenty")
	p.settled(shown{sockets: 1, figure: orders})
	evaluate[chromedp.Void](p, string(axe)+"\nundefined")
	for _, state := range []struct{ name, key, holds string }{
		{"search", "/", openDialog},
		{"keys", "?", openDialog},
		{"paused", " ", `document.querySelector("[data-live]").checkVisibility()`},
	} {
		p.press(state.key)
		p.until(state.holds)
		p.audit(state.name+", light", "")
		p.prefer("dark")
		p.audit(state.name+", dark", `, runOnly: ["color-contrast", "link-in-text-block"]`)
		p.prefer("light")
		p.press(kb.Escape)
		p.until(`!` + openDialog)
	}
	p.navigate(s.URL + "/t/orders")
	p.live()
	evaluate[chromedp.Void](p, string(axe)+"\nundefined")
	p.do(chromedp.Click(chromedp.CSS("[data-delete]")))
	p.until(openDialog)
	p.audit("delete", "")
}

// audit judges what stays: a control on its way from one theme's colour to the
// other's has the contrast of neither.
func (p *tab) audit(page, options string) {
	p.t.Helper()
	p.painted()
	for _, v := range evaluate[[]violation](p, fmt.Sprintf(audit, options), chromedp.EvalAwaitPromise) {
		for _, at := range v.Targets {
			p.t.Errorf("%s: %s (%s): %s\n  %s\n  %s", page, v.ID, v.Impact, v.Help, at.Where, strings.ReplaceAll(at.Why, "\n", "\n  "))
		}
	}
}
