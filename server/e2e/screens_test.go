//go:build e2e

package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestScreens takes a picture of every page on a desktop and on a phone, dark
// and light, for people to look at: `-artifacts -outputdir=DIR` keeps them. It
// fails when a page is wider than its screen. A page is loaded once and then
// follows its screen, as it does when a phone is turned or the sun sets.
func TestScreens(t *testing.T) {
	s := furnished(t)
	empty := start(t, "", nil)
	type size struct{ width, height int64 }
	desktop, phone, wide := size{1440, 900}, size{390, 844}, size{1920, 1080}
	all := []size{desktop, phone, wide}
	type screen struct {
		shown
		address string
		sizes   []size
	}
	var screens []screen
	for _, page := range pages {
		sizes := []size{desktop, phone}
		switch page.name {
		case "home", "topics", "topic", "dashboard", "nothing-yet", "nothing-matches", "error", "broken":
			sizes = all
		case "wall":
			sizes = []size{wide}
		case "embed-dashboard":
			sizes = all
		case "embed", "embed-lines":
			sizes = append([]size{{600, 240}, {300, 140}}, all...) // frames in other pages, and all of one
		}
		screens = append(screens, screen{page, s.URL + page.path, sizes})
	}
	screens = append(screens,
		screen{shown{name: "first-run", sockets: 1}, empty.URL + "/", all},
		screen{shown{name: "no-topics", sockets: 1}, empty.URL + "/topics", all})
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
