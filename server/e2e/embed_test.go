//go:build e2e

package e2e_test

import (
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"readout/server"
)

// host serves a page of another site that frames an address, with attributes; it
// returns the page's own address. To a browser localhost and 127.0.0.1 are two sites.
func host(t *testing.T, framed, attributes string) string {
	t.Helper()
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprintf(w, `<!DOCTYPE html><html lang="en"><title>Another site</title><link rel="icon" href="data:,">
<h1>Status</h1><iframe src="%s" title="orders" width="600" height="240" %s></iframe></html>`, html.EscapeString(framed), attributes)
	}))
	t.Cleanup(site.Close)
	return strings.Replace(site.URL, "127.0.0.1", "localhost", 1) + "/"
}

func allow(origins ...string) func(*server.Options) {
	return func(o *server.Options) { o.EmbedOrigins = origins }
}

func TestEmbedOnAnotherOrigin(t *testing.T) {
	s := start(t, "", allow("http://localhost:*"))
	s.Push("orders", "41")
	embed := s.URL + "/t/orders?view=embed"
	outer := open(t, host(t, embed, ""))
	inner := outer.frame(embed)
	if inner == nil {
		t.Fatal("the frame of another site does not show the embed that may stand there")
	}
	if origin := evaluate[string](inner, `self.origin`); origin != s.URL || origin == evaluate[string](outer, `self.origin`) {
		t.Fatalf("the frame is of %s: not another site than the page", origin)
	}
	inner.live()
	const figure = `document.querySelector(".now [data-figure]").textContent`
	if got := evaluate[string](inner, figure); got != "41" {
		t.Errorf("before the push the frame shows %q, want 41", got)
	}
	took := inner.follows(func() { s.Push("orders", "42") }, figure+` === "42"`)
	t.Logf("push to the value in the frame: %v", took)
	for _, p := range []*tab{outer, inner} {
		complaints, _, _ := p.reported()
		for _, c := range complaints {
			t.Errorf("%s %s", c.what, c.url)
		}
	}
	if kept := evaluate[string](inner, `document.cookie + localStorage.length + sessionStorage.length`); kept != "00" {
		t.Errorf("an embed keeps cookies or storage: %s", kept)
	}
}

func TestFramesThatAreRefused(t *testing.T) {
	for _, c := range []struct {
		name, path string
		origins    []string
	}{
		{"an embed that nobody allowed", "/t/orders?view=embed", nil},
		{"an embed that another site may show", "/t/orders?view=embed", []string{"https://status.example"}},
		{"a page, whoever may show its embed", "/t/orders", []string{"http://localhost:*"}},
		{"the list of topics", "/topics", []string{"http://localhost:*"}},
		{"the home page", "/", []string{"http://localhost:*"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := start(t, "", allow(c.origins...))
			s.Push("orders", "41")
			p := open(t, host(t, s.URL+c.path, ""))
			frame := p.frame(s.URL + c.path)
			if frame == nil {
				t.Fatal("the page has no frame at all")
			}
			if shown := evaluate[string](frame, `location.href`); !strings.HasPrefix(shown, "chrome-error:") {
				t.Errorf("the browser shows %s in the frame", shown)
			}
			complaints, _, _ := p.reported()
			said := fmt.Sprint(complaints)
			if !strings.Contains(said, "frame-ancestors") {
				t.Errorf("the browser did not refuse it for its frame-ancestors: %s", said)
			}
		})
	}
}
