//go:build e2e

package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestScreens takes a picture of every page on a desktop and on a phone, dark
// and light, for people to look at: `-artifacts -outputdir=DIR` keeps them. It
// fails when a page is wider than its screen. A page is loaded once and then
// follows its screen, as it does when a phone is turned or the sun sets.
func TestScreens(t *testing.T) {
	s := start(t, "", nil)
	fill(t, s)
	empty := start(t, "", nil)
	type size struct{ width, height int64 }
	desktop, phone := size{1440, 900}, size{390, 844}
	type screen struct {
		shown
		address string
		sizes   []size
	}
	var screens []screen
	for _, page := range pages {
		sizes := []size{desktop, phone}
		if strings.Contains(page.path, "view=embed") {
			sizes = []size{{600, 240}, {300, 140}} // frames in other pages
		}
		screens = append(screens, screen{page, s.URL + page.path, sizes})
	}
	screens = append(screens,
		screen{shown{name: "first-run", sockets: 1}, empty.URL + "/", []size{desktop, phone}},
		screen{shown{name: "no-topics", sockets: 1}, empty.URL + "/topics", []size{desktop, phone}})
	p := newTab(t)
	for _, of := range screens {
		p.do(chromedp.EmulateViewport(of.sizes[0].width, of.sizes[0].height))
		p.navigate(of.address)
		p.settled(of.shown)
		for _, size := range of.sizes {
			p.do(chromedp.EmulateViewport(size.width, size.height))
			for _, scheme := range []string{"dark", "light"} {
				p.prefer(scheme)
				p.painted()
				name := fmt.Sprintf("%s-%d-%s.png", of.name, size.width, scheme)
				if wide := evaluate[int64](p, `document.documentElement.scrollWidth`); wide > size.width {
					t.Errorf("%s is %d px wide", name, wide)
				}
				picture, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(t.ArtifactDir(), name), picture, 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}
