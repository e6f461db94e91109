//go:build e2e

package e2e_test

import (
	"net/url"
	"strings"
	"testing"
)

// TestQuiet loads every page and lets it move: neither the console nor the
// browser finds anything wrong, nothing is asked of another machine, and a page
// has one socket.
func TestQuiet(t *testing.T) {
	t.Run("first run", func(t *testing.T) {
		for _, path := range []string{"/", "/topics"} {
			s := start(t, "", nil)
			p := open(t, s.URL+path)
			p.live()
			s.Push("orders", "42")
			p.until(shows("42"))
			p.checkQuiet(shown{name: path, path: path, sockets: 1}, s.URL+path)
		}
	})
	s := furnished(t)
	for _, page := range pages {
		t.Run(page.name, func(t *testing.T) {
			p := open(t, s.URL+page.path)
			p.settled(page)
			if page.figure == orders {
				s.Push("orders", "1285")
				p.until(shows("1,285"))
				s.Push("orders", "1284")
				p.until(shows(orders))
			}
			p.checkQuiet(page, s.URL+page.path)
		})
	}
}

func (p *tab) checkQuiet(of shown, address string) {
	p.t.Helper()
	complaints, requests, sockets := p.reported()
	for _, c := range complaints {
		if of.sockets == 0 && c.url == address && strings.HasPrefix(c.what, "network: ") {
			continue // the browser notes that an error page has the status of an error
		}
		p.t.Errorf("%s: %s %s", of.name, c.what, c.url)
	}
	if len(requests) < 3 {
		p.t.Errorf("%s: only %v was asked for: requests are not seen", of.name, requests)
	}
	for _, request := range requests {
		u, err := url.Parse(request)
		if err != nil || u.Scheme != "data" && u.Hostname() != "127.0.0.1" {
			p.t.Errorf("%s asks another machine: %s", of.name, request)
		}
	}
	if len(sockets) != of.sockets {
		p.t.Errorf("%s has %d sockets, want %d", of.name, len(sockets), of.sockets)
	}
}
