package static

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

// dist is a build in small, so that these tests hold whether or not this
// checkout was built.
func dist() fstest.MapFS {
	return fstest.MapFS{
		"dist/manifest.json":    {Data: []byte(`{"app.js":"app-AB12.js","inter.woff2":"inter-CD34.woff2"}`)},
		"dist/app-AB12.js":      {Data: []byte("plain")},
		"dist/app-AB12.js.br":   {Data: []byte("brotli")},
		"dist/app-AB12.js.gz":   {Data: []byte("gzip")},
		"dist/inter-CD34.woff2": {Data: []byte("font")},
		"dist/.keep":            {},
		"dist/secret.txt":       {Data: []byte("not in the manifest")},
	}
}

func TestServe(t *testing.T) {
	a := open(dist(), "dist")
	for _, c := range []struct {
		method, path, accept  string
		status                int
		body, encoding, media string
	}{
		{"GET", "/static/app-AB12.js", "", 200, "plain", "", "text/javascript; charset=utf-8"},
		{"GET", "/static/app-AB12.js", "gzip, deflate, br, zstd", 200, "brotli", "br", "text/javascript; charset=utf-8"},
		{"GET", "/static/app-AB12.js", "gzip, br;q=0", 200, "gzip", "gzip", "text/javascript; charset=utf-8"},
		{"GET", "/static/app-AB12.js", "identity", 200, "plain", "", "text/javascript; charset=utf-8"},
		{"HEAD", "/static/app-AB12.js", "br", 200, "", "br", "text/javascript; charset=utf-8"},
		{"GET", "/static/inter-CD34.woff2", "br", 200, "font", "", "font/woff2"},
		{"POST", "/static/app-AB12.js", "", 405, "", "", ""},
		{"GET", "/static/app.js", "", 404, "", "", ""},
		{"GET", "/static/app-AB12.js.br", "", 404, "", "", ""},
		{"GET", "/static/manifest.json", "", 404, "", "", ""},
		{"GET", "/static/secret.txt", "", 404, "", "", ""},
		{"GET", "/static/.keep", "", 404, "", "", ""},
		{"GET", "/static/", "", 404, "", "", ""},
		{"GET", "/static/../static.go", "", 404, "", "", ""},
	} {
		r := httptest.NewRequest(c.method, "http://localhost"+c.path, nil)
		r.Header.Set("Accept-Encoding", c.accept)
		w := httptest.NewRecorder()
		a.ServeHTTP(w, r)
		if w.Code != c.status {
			t.Errorf("%s %s: %d, want %d", c.method, c.path, w.Code, c.status)
			continue
		}
		if c.status != 200 {
			if w.Header().Get("Cache-Control") != "" {
				t.Errorf("%s %s: a refusal must not be cached for ever", c.method, c.path)
			}
			continue
		}
		h := w.Header()
		if w.Body.String() != c.body || h.Get("Content-Encoding") != c.encoding || h.Get("Content-Type") != c.media {
			t.Errorf("%s %s with %q: %q %q %q", c.method, c.path, c.accept, w.Body, h.Get("Content-Encoding"), h.Get("Content-Type"))
		}
		if h.Get("Cache-Control") != "public, max-age=31536000, immutable" || h.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s %s: headers %v", c.method, c.path, h)
		}
		if strings.HasSuffix(c.path, ".js") && h.Get("Vary") != "Accept-Encoding" {
			t.Errorf("%s varies without saying so", c.path)
		}
	}
}

// TestStripPrefix: routers mount handlers either way.
func TestStripPrefix(t *testing.T) {
	w := httptest.NewRecorder()
	http.StripPrefix(Prefix, open(dist(), "dist")).ServeHTTP(w, httptest.NewRequest("GET", "/static/app-AB12.js", nil))
	if w.Code != http.StatusOK || w.Body.String() != "plain" {
		t.Errorf("%d %q", w.Code, w.Body)
	}
}

func TestUnbuilt(t *testing.T) {
	half := dist()
	delete(half, "dist/app-AB12.js")
	broken := dist()
	broken["dist/manifest.json"] = &fstest.MapFile{Data: []byte("{")}
	for name, files := range map[string]fstest.MapFS{
		"empty":      {"dist/.keep": {}},
		"half built": half,
		"broken":     broken,
	} {
		a := open(files, "dist")
		if len(a.names) != 0 || len(a.parts) != 0 {
			t.Errorf("%s: %v is offered", name, a.names)
		}
		w := httptest.NewRecorder()
		a.ServeHTTP(w, httptest.NewRequest("GET", "/static/app-AB12.js", nil))
		if w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
}

// budgets are what a page may cost on the wire, in bytes of gzip.
var budgets = map[string]int{"app.js": 110 << 10, "embed.js": 60 << 10, "early.js": 1 << 10, "readout.css": 16 << 10}

// TestBuild looks at the real build, when this checkout has one.
func TestBuild(t *testing.T) {
	if !Built() {
		if URL("app.js") != "" || URL("readout.css") != "" {
			t.Error("an asset has an address in a build without assets")
		}
		return
	}
	for name, most := range budgets {
		address := URL(name)
		if !regexp.MustCompile(`^/static/[a-z]+-[0-9A-Z]{8}\.(js|css)$`).MatchString(address) {
			t.Errorf("%s has the address %q, without a hash", name, address)
		}
		plain, packed := get(t, address, ""), get(t, address, "gzip")
		if len(packed) > most {
			t.Errorf("%s is %d bytes of gzip; the budget is %d", name, len(packed), most)
		}
		unpacked, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if again, err := io.ReadAll(unpacked); err != nil || !bytes.Equal(again, plain) {
			t.Errorf("%s.gz is not %s", name, name)
		}
		if brotli := get(t, address, "br"); len(brotli) >= len(plain) && len(plain) > 1000 {
			t.Errorf("%s.br is no smaller than %s", name, name)
		}
		if bytes.Contains(plain, []byte("innerHTML")) || bytes.Contains(plain, []byte("document.write")) {
			t.Errorf("%s writes markup, which trusted types forbid", name)
		}
		// Nothing may leave the machine: the only addresses are names of XML vocabularies.
		for _, found := range regexp.MustCompile(`https?://[^"'\s)]+`).FindAll(plain, -1) {
			if !bytes.HasPrefix(found, []byte("http://www.w3.org/")) {
				t.Errorf("%s names %s", name, found)
			}
		}
	}
	// What the style sheet refers to must be served.
	for _, reference := range regexp.MustCompile(`url\("?\./([^")]+)"?\)`).FindAllSubmatch(get(t, URL("readout.css"), ""), -1) {
		get(t, Prefix+string(reference[1]), "")
	}
	for _, name := range []string{"inter.woff2", "mono.woff2", "icon.svg", "licences.txt"} {
		get(t, URL(name), "")
	}
	for _, storage := range []string{"localStorage", "sessionStorage", "indexedDB", "document.cookie"} {
		if bytes.Contains(get(t, URL("embed.js"), ""), []byte(storage)) {
			t.Errorf("the embed's script uses %s", storage)
		}
	}
}

func get(t *testing.T, address, accept string) []byte {
	t.Helper()
	r := httptest.NewRequest("GET", address, nil)
	r.Header.Set("Accept-Encoding", accept)
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatalf("%q: %d", address, w.Code)
	}
	return w.Body.Bytes()
}
