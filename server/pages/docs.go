package pages

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"html"
	"net/http"
	"strings"

	"readout/docs"
	"readout/server/problem"
	"readout/server/reading"
	"readout/views"
)

// manual is the pages of package docs, rendered. Their examples still speak of
// the address in the source.
type manual struct {
	pages []manualPage
	api   []byte // openapi.yaml
}

type manualPage struct {
	docs.Page
	body     string
	sections []section
}

// loadManual renders every page. It fails only on a mistake of ours, which a
// test finds.
func loadManual() (*manual, error) {
	m := &manual{}
	list := docs.Pages()
	place := func(file string) (address, title string, ok bool) {
		if file == docs.OpenAPI {
			return "/docs/" + file, "the OpenAPI document", true
		}
		for _, p := range list {
			if p.File() == file {
				return "/docs/" + p.Slug, p.Title, true
			}
		}
		return "", "", false
	}
	var err error
	if m.api, err = docs.Read(docs.OpenAPI); err != nil {
		return nil, fmt.Errorf("manual: %w", err)
	}
	for _, page := range list {
		source, err := docs.Read(page.File())
		if err != nil {
			return nil, fmt.Errorf("manual: %w", err)
		}
		one := manualPage{Page: page}
		if one.body, one.sections, err = manualHTML(source, place); err != nil {
			return nil, fmt.Errorf("manual: %s: %w", page.File(), err)
		}
		m.pages = append(m.pages, one)
	}
	return m, nil
}

// list is the pages for lists and for going on from one to the next.
func (m *manual) list() []views.DocLink {
	links := make([]views.DocLink, len(m.pages))
	for i, p := range m.pages {
		links[i] = views.DocLink{Path: "/docs/" + p.Slug, Title: p.Title, About: p.About}
	}
	return links
}

// Docs serves GET /docs: the first reading, and the pages of the manual.
func (p *Pages) Docs(w http.ResponseWriter, r *http.Request) error {
	m, err := p.manual()
	if err != nil {
		return err
	}
	page := p.page(r)
	return renderKept(w, r, func(b *bytes.Buffer) error {
		return views.DocsPage(views.DocsView{Page: page, Pages: m.list(), Address: exampleAddress(page.Base)}).Render(r.Context(), b)
	})
}

// Doc serves GET /docs/{page}.
func (p *Pages) Doc(w http.ResponseWriter, r *http.Request) error {
	m, err := p.manual()
	if err != nil {
		return err
	}
	slug := r.PathValue("page")
	if slug == docs.OpenAPI {
		return p.openAPI(w, r, m)
	}
	page, links := p.page(r), m.list()
	for i, one := range m.pages {
		if one.Slug != slug {
			continue
		}
		v := views.DocView{Page: page, Title: one.Title, Path: links[i].Path, Pages: links, HTML: withBase(one.body, page.Base)}
		for _, s := range one.sections {
			if s.Level == 2 || s.Level == 3 {
				v.Sections = append(v.Sections, views.DocSection{ID: s.ID, Title: s.Title, Sub: s.Level == 3})
			}
		}
		if i > 0 {
			v.Before = &links[i-1]
		}
		if i+1 < len(links) {
			v.After = &links[i+1]
		}
		return renderKept(w, r, func(b *bytes.Buffer) error { return views.DocPage(v).Render(r.Context(), b) })
	}
	return problem.New("not_found", "the manual has no page %s", reading.Quote(slug))
}

// openAPI serves GET /docs/openapi.yaml, with this server as its server.
func (p *Pages) openAPI(w http.ResponseWriter, r *http.Request, m *manual) error {
	body := m.api
	if base := p.o.Base(r); isPlainAddress(base) {
		body = bytes.ReplaceAll(body, []byte(exampleBase), []byte(base))
	}
	return keep(w, r, "application/yaml", body)
}

const exampleBase = "http://localhost:8080" // of the examples in the sources of the manual

// withBase puts this server's own address into the examples of a page, so that
// what is copied works.
func withBase(body, base string) string {
	if !isPlainAddress(base) {
		return body
	}
	socket := "ws" + strings.TrimPrefix(base, "http")
	example := strings.TrimPrefix(exampleBase, "http://")
	return strings.NewReplacer(
		exampleBase, html.EscapeString(base),
		"ws://"+example, html.EscapeString(socket),
		example, html.EscapeString(exampleAddress(base)),
	).Replace(body)
}

// exampleAddress is an address as people type it into curl.
func exampleAddress(base string) string {
	if !isPlainAddress(base) {
		base = exampleBase
	}
	return strings.TrimPrefix(base, "http://")
}

// isPlainAddress holds what a request claims to be our name to letters that mean
// nothing to a shell: examples are copied into one.
func isPlainAddress(base string) bool {
	_, host, ok := strings.Cut(base, "://")
	return ok && host != "" && !strings.ContainsFunc(host, func(r rune) bool {
		return r != '.' && r != '-' && r != '_' && r != ':' && r != '[' && r != ']' &&
			(r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}

// renderKept writes a page that changes only with the program: browsers keep it
// and ask whether it is still the same.
func renderKept(w http.ResponseWriter, r *http.Request, write func(*bytes.Buffer) error) error {
	var b bytes.Buffer
	if err := write(&b); err != nil {
		return err
	}
	return keep(w, r, "text/html; charset=utf-8", b.Bytes())
}

func keep(w http.ResponseWriter, r *http.Request, kind string, body []byte) error {
	sum := sha256.Sum256(body)
	version := hex.EncodeToString(sum[:8])
	w.Header().Set("ETag", `"`+version+`"`)
	if matches(r, version) {
		w.Header().Set("Cache-Control", "no-cache")
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	return writeKept(w, kind, body)
}
