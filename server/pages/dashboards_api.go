package pages

import (
	"errors"
	"net/http"
	"strings"

	"readout/server/dashboard"
	"readout/server/problem"
	"readout/server/reading"
)

type dashboardItem struct {
	Slug        string `json:"slug"`
	Title       string `json:"title"`
	Description string `json:"description"`
	Panels      int    `json:"panels"`
	BuiltIn     bool   `json:"built_in"`
	File        string `json:"file"`    // its name in the directory; empty when it is built in
	Version     string `json:"version"` // hash of the document; empty when it never was one
	Problem     string `json:"problem"` // what is wrong with the file, which then shows its last good version; empty when nothing is
}

// DashboardsAPI serves GET /api/v1/dashboards. Dashboards are documents of who
// runs the server and hold no readings: everyone who may view anything sees
// them all. What their panels show is decided for each topic.
func (p *Pages) DashboardsAPI(w http.ResponseWriter, r *http.Request) error {
	if _, err := noQuery(r); err != nil {
		return err
	}
	listed := struct {
		Dashboards []dashboardItem `json:"dashboards"`
	}{Dashboards: []dashboardItem{}}
	for _, i := range p.o.Dashboards.List() {
		listed.Dashboards = append(listed.Dashboards, dashboardItem{
			i.Slug, i.Title, i.Description, i.Panels, i.BuiltIn, i.File, i.Version, i.Problem.String(),
		})
	}
	return answer(w, listed)
}

// DashboardAPI serves GET /api/v1/dashboards/{slug}: the document as JSON with
// its defaults spelled out, or with ?format=yaml as it was written.
func (p *Pages) DashboardAPI(w http.ResponseWriter, r *http.Request) error {
	q, err := readQuery(r, "format")
	if err != nil {
		return err
	}
	slug := r.PathValue("slug")
	d, wrong, ok := p.o.Dashboards.Get(slug)
	switch {
	case !ok:
		return problem.New("not_found", "there is no dashboard %s", reading.Quote(slug))
	case d.Version == "": // a file that never was a document
		return problem.New("bad_dashboard", "%s", wrong.String())
	}
	w.Header().Set("ETag", `"`+d.Version+`"`)
	if matches(r, d.Version) {
		w.Header().Set("Cache-Control", "no-cache")
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	switch format := q["format"]; format {
	case "", "json":
		body, err := d.MarshalJSON()
		if err != nil {
			return err
		}
		return writeKept(w, "application/json", append(body, '\n'))
	case "yaml": // a JSON document is YAML too
		return writeKept(w, "application/yaml", []byte(d.Source))
	default:
		return problem.New("not_acceptable", "there is no format %s; use json or yaml", reading.Quote(format))
	}
}

// fault is one place of a document that is wrong.
type fault struct {
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Message string `json:"message"`
}

// CheckDashboard serves POST /api/v1/dashboards/check: 200 with what the
// document would be, or 422 with everything that is wrong with it. Nothing is
// kept.
func (p *Pages) CheckDashboard(w http.ResponseWriter, r *http.Request) error {
	if _, err := noQuery(r); err != nil {
		return err
	}
	body, err := readBody(w, r, dashboard.MaxSize)
	if err != nil {
		return err
	}
	d, err := dashboard.Parse("", body)
	var wrong *dashboard.Error
	if errors.As(err, &wrong) {
		refused, row := problem.Of(err)
		faults := []fault{{wrong.Line, wrong.Column, wrong.Message}}
		for _, other := range wrong.Others {
			faults = append(faults, fault(other))
		}
		return writeStatus(w, row.Status, map[string]any{
			"error":  map[string]string{"code": refused.Code, "message": refused.Message},
			"faults": faults,
		})
	}
	if err != nil {
		return err
	}
	return answer(w, map[string]any{"title": d.Title, "panels": len(d.Panels), "version": d.Version, "document": d})
}

// noQuery is the query of an address that takes none.
func noQuery(r *http.Request) (query, error) {
	if r.URL.RawQuery == "" {
		return nil, nil
	}
	return nil, problem.New("bad_request", "this address takes no query")
}

// matches reports whether the asker has this version already.
func matches(r *http.Request, version string) bool {
	for tag := range strings.SplitSeq(r.Header.Get("If-None-Match"), ",") {
		tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/")
		if tag == `"`+version+`"` || tag == "*" {
			return true
		}
	}
	return false
}

// writeKept writes what its asker may keep and ask about again.
func writeKept(w http.ResponseWriter, kind string, body []byte) error {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = w.Write(body) // the asker may be gone
	return nil
}
