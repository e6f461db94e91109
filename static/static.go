// Package static holds what browsers load: the page scripts, the style sheet,
// the fonts and the icon. build.mjs fills dist; in a bare checkout it is empty
// and everything still compiles, only Built says false.
package static

import (
	"embed"
	"encoding/json"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
)

//go:embed all:dist
var embedded embed.FS

// Prefix is where Handler is mounted.
const Prefix = "/static/"

// files is what dist holds. The names in it carry a hash of their content, so
// that an address never changes its meaning and may be cached for ever.
var files = open(embedded, "dist")

type assets struct {
	names map[string]string // app.js -> app-AB12CD34.js
	parts map[string]part   // app-AB12CD34.js and its compressed forms
}

type part struct {
	contentType     string
	plain, br, gzip []byte
}

var contentTypes = map[string]string{
	".js":    "text/javascript; charset=utf-8",
	".css":   "text/css; charset=utf-8",
	".woff2": "font/woff2",
	".svg":   "image/svg+xml",
	".txt":   "text/plain; charset=utf-8",
}

// open reads dist. A directory without manifest.json is one that was not built,
// or half built: nothing of it is served.
func open(files fs.FS, dir string) assets {
	a := assets{}
	manifest, err := fs.ReadFile(files, path.Join(dir, "manifest.json"))
	if err != nil || json.Unmarshal(manifest, &a.names) != nil {
		return assets{}
	}
	a.parts = make(map[string]part, len(a.names))
	for _, hashed := range a.names {
		plain, err := fs.ReadFile(files, path.Join(dir, hashed))
		contentType, known := contentTypes[path.Ext(hashed)]
		if err != nil || !known {
			return assets{}
		}
		// Fonts have no compressed forms; a missing one is no error.
		br, _ := fs.ReadFile(files, path.Join(dir, hashed+".br"))
		gzip, _ := fs.ReadFile(files, path.Join(dir, hashed+".gz"))
		a.parts[hashed] = part{contentType: contentType, plain: plain, br: br, gzip: gzip}
	}
	return a
}

// Built reports whether the page scripts are in this binary.
func Built() bool { return URL("app.js") != "" }

// URL returns the address of an asset by its plain name, such as app.js or
// readout.css, or "" when it is not in this build.
func URL(name string) string {
	if hashed, ok := files.names[name]; ok {
		return Prefix + hashed
	}
	return ""
}

// Handler serves exactly the files of this build, mounted at Prefix with or
// without http.StripPrefix: compressed when the browser takes it, cacheable for
// ever. Frames of a sandbox have an origin of their own and load scripts and
// fonts across origins, so every site may read these files; there is nothing in
// them that the source does not show.
func Handler() http.Handler { return files }

// ServeHTTP answers GET and HEAD.
func (a assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p, ok := a.parts[strings.TrimPrefix(r.URL.Path, Prefix)]
	if !ok {
		http.NotFound(w, r)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "this address only answers GET", http.StatusMethodNotAllowed)
		return
	}
	h := w.Header()
	h.Set("Content-Type", p.contentType)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	body := p.plain
	if p.br != nil || p.gzip != nil {
		h.Set("Vary", "Accept-Encoding")
		switch accepted := r.Header.Get("Accept-Encoding"); {
		case p.br != nil && accepts(accepted, "br"):
			h.Set("Content-Encoding", "br")
			body = p.br
		case p.gzip != nil && accepts(accepted, "gzip"):
			h.Set("Content-Encoding", "gzip")
			body = p.gzip
		}
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodGet {
		_, _ = w.Write(body) // the browser went away; there is nobody to tell
	}
}

// accepts reads Accept-Encoding: the coding is named and its weight is not 0.
func accepts(header, coding string) bool {
	for offer := range strings.SplitSeq(header, ",") {
		name, parameters, _ := strings.Cut(offer, ";")
		if !strings.EqualFold(strings.TrimSpace(name), coding) {
			continue
		}
		weight, found := strings.CutPrefix(strings.TrimSpace(parameters), "q=")
		if !found {
			return true
		}
		q, err := strconv.ParseFloat(strings.TrimSpace(weight), 64)
		return err == nil && q > 0
	}
	return false
}
