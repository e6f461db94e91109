package server_test

import (
	"net/http"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"readout/docs"
	"readout/server"
	"readout/server/servertest"
)

func TestDocsOfTheProduct(t *testing.T) {
	s := servertest.New(t, nil)
	for _, c := range []struct {
		name, path string
		header     []string
		status     int
		kind       string
		has, never string
	}{
		{"index", "/docs", nil, 200, "text/html; charset=utf-8", "curl -d 42 localhost/t/orders", "localhost:8080"},
		{"index by another name", "/docs", []string{"Host", "127.0.0.1:81"}, 200, "text/html; charset=utf-8", "curl -d 42 127.0.0.1:81/t/orders", "localhost:8080"},
		{"page", "/docs/push", nil, 200, "text/html; charset=utf-8", "curl -d 42 localhost/t/orders", "localhost:8080"},
		{"a link to another page", "/docs/push", nil, 200, "text/html; charset=utf-8", `href="/docs/errors"`, "errors.md"},
		{"headings", "/docs/errors", nil, 200, "text/html; charset=utf-8", "<code>bad_topic</code>", "<!-- Written"},
		{"openapi.yaml", "/docs/openapi.yaml", nil, 200, "application/yaml", "url: http://localhost\n", "localhost:8080"},
		{"not there", "/docs/nothing", nil, 404, "application/json", `the manual has no page \"nothing\"`, ""},
		{"not there, for people", "/docs/nothing", []string{"Accept", "text/html"}, 404, "text/html; charset=utf-8", "The manual has no page", ""},
		{"a file", "/docs/push.md", nil, 404, "application/json", "not_found", ""},
		{"a file of the package", "/docs/docs.go", nil, 404, "application/json", "not_found", "package"},
		{"out of it", "/docs/..%2Fgo.mod", nil, 404, "application/json", "not_found", "module"},
		{"a slash after it", "/docs/", nil, 404, "application/json", "not_found", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := s.Do(http.MethodGet, c.path, "", c.header...)
			if a.Status != c.status || a.Header.Get("Content-Type") != c.kind {
				t.Errorf("%d %v", a.Status, a.Header)
			}
			if !strings.Contains(a.Body, c.has) || c.never != "" && strings.Contains(a.Body, c.never) {
				t.Errorf("want %s and never %s in %d bytes", c.has, c.never, len(a.Body))
			}
			if c.status != http.StatusOK {
				return
			}
			head := s.Do(http.MethodHead, c.path, "", c.header...)
			if head.Status != http.StatusOK || head.Body != "" || head.Header.Get("ETag") != a.Header.Get("ETag") {
				t.Errorf("HEAD: %d %v", head.Status, head.Header)
			}
			again := s.Do(http.MethodGet, c.path, "", append([]string{"If-None-Match", a.Header.Get("ETag")}, c.header...)...)
			if again.Status != http.StatusNotModified || again.Body != "" || again.Header.Get("Cache-Control") != "no-cache" {
				t.Errorf("asked again: %d %v", again.Status, again.Header)
			}
			if other := s.Do(http.MethodGet, c.path, "", append([]string{"If-None-Match", `"other"`}, c.header...)...); other.Status != http.StatusOK {
				t.Errorf("of another version: %d", other.Status)
			}
		})
	}
}

func TestEveryPageOfTheManual(t *testing.T) {
	s := servertest.New(t, &servertest.Options{Change: func(o *server.Options) { o.PublicURL = "https://readout.example" }})
	pages := docs.Pages()
	for i, p := range pages {
		t.Run(p.Slug, func(t *testing.T) {
			a := s.Do(http.MethodGet, "/docs/"+p.Slug, "")
			if a.Status != http.StatusOK || strings.Count(a.Body, "<h1>") != 1 || strings.Contains(a.Body, "localhost:8080") {
				t.Fatalf("%d, %d bytes", a.Status, len(a.Body))
			}
			if !strings.Contains(a.Body, `<a href="/docs/`+p.Slug+`" aria-current="page">`) {
				t.Error("the list does not show where one is")
			}
			if has := strings.Contains(a.Body, `rel="prev" href="/docs/`); has != (i > 0) {
				t.Errorf("leads back: %v", has)
			}
			if has := strings.Contains(a.Body, `rel="next" href="/docs/`); has != (i < len(pages)-1) {
				t.Errorf("leads on: %v", has)
			}
		})
	}
	a := s.Do(http.MethodGet, "/docs/openapi.yaml", "")
	var doc struct{ Servers []struct{ URL string } }
	if err := yaml.Unmarshal([]byte(a.Body), &doc); err != nil || len(doc.Servers) != 1 || doc.Servers[0].URL != "https://readout.example" {
		t.Errorf("%v: servers %v", err, doc.Servers)
	}
}
