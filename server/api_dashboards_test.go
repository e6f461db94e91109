package server_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"readout/server"
	"readout/server/dashboard"
	"readout/server/servertest"
)

const shopDocument = "readout: 1\ntitle: Shop, Berlin\nwindow: 15m\npanels:\n  - title: Orders\n    topics: [orders]\n"

func TestDashboardsOfTheAPI(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"shop.yaml": shopDocument, "broken.yaml": "readout: 1\ntitle: Broken\npanels:\n  - kind: line\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := servertest.New(t, &servertest.Options{Change: func(o *server.Options) { o.Dashboards = dir }})
	listed, _ := getJSON[struct {
		Dashboards []struct {
			Slug, Title, File, Version, Problem string
			Panels                              int
			BuiltIn                             bool `json:"built_in"`
		}
	}](t, s, "/api/v1/dashboards")
	found := map[string]string{}
	for _, d := range listed.Dashboards {
		switch d.Slug {
		case "machine", "readout":
			if !d.BuiltIn || d.Panels == 0 || d.File != "" || d.Version == "" || d.Problem != "" {
				t.Errorf("built in: %+v", d)
			}
		case "shop":
			if d.BuiltIn || d.Panels != 1 || d.File != "shop.yaml" || d.Title != "Shop, Berlin" || d.Version == "" || d.Problem != "" {
				t.Errorf("a file: %+v", d)
			}
		case "broken":
			if !strings.HasPrefix(d.Problem, "broken.yaml:4:") || d.Version != "" {
				t.Errorf("a broken file: %+v", d)
			}
		}
		found[d.Slug] = d.Version
	}
	if len(found) != 4 {
		t.Fatalf("%d dashboards: %v", len(found), found)
	}

	document, a := getJSON[map[string]any](t, s, "/api/v1/dashboards/shop")
	if document["title"] != "Shop, Berlin" || document["window"] != "15m" || a.Header.Get("ETag") != `"`+found["shop"]+`"` {
		t.Errorf("%v %s", a.Header, a.Body)
	}
	if _, err := dashboard.Parse("shop.json", []byte(a.Body)); err != nil {
		t.Errorf("the document is none: %v", err)
	}
	for _, c := range []struct {
		name, path string
		header     []string
		status     int
		kind, body string // a part of it
	}{
		{"as it was written", "/api/v1/dashboards/shop?format=yaml", nil, 200, "application/yaml", shopDocument},
		{"the same still", "/api/v1/dashboards/shop", []string{"If-None-Match", `"x", W/"` + found["shop"] + `"`}, 304, "", ""},
		{"another now", "/api/v1/dashboards/shop", []string{"If-None-Match", `"x"`}, 200, "application/json", "Shop"},
		{"built in", "/api/v1/dashboards/machine", nil, 200, "application/json", "This machine"},
		{"not there", "/api/v1/dashboards/nothing", nil, 404, "application/json", "not_found"},
		{"no slug", "/api/v1/dashboards/..%2Fshop", nil, 404, "application/json", "not_found"},
		{"a file is no slug", "/api/v1/dashboards/shop.yaml", nil, 404, "application/json", "not_found"},
		{"broken", "/api/v1/dashboards/broken", nil, 422, "application/json", "broken.yaml:4:"},
		{"unknown format", "/api/v1/dashboards/shop?format=toml", nil, 406, "application/json", "json or yaml"},
		{"unknown parameter", "/api/v1/dashboards/shop?v=1", nil, 400, "application/json", "bad_request"},
		{"a list has no parameters", "/api/v1/dashboards?match=x", nil, 400, "application/json", "bad_request"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := s.Do(http.MethodGet, c.path, "", c.header...)
			if a.Status != c.status || a.Header.Get("Content-Type") != c.kind || !strings.Contains(a.Body, c.body) || c.status == 304 && a.Body != "" {
				t.Errorf("%d %v %s", a.Status, a.Header, a.Body)
			}
		})
	}
}

func TestCheckOfADashboard(t *testing.T) {
	s := servertest.New(t, nil)
	for _, c := range []struct {
		name, body string
		status     int
		code       string
		faults     int
		line       int // of the first fault
	}{
		{"YAML", shopDocument, 200, "", 0, 0},
		{"JSON", `{"readout":1,"title":"Shop","panels":[{"title":"Orders","topics":["orders"]}]}`, 200, "", 0, 0},
		{"nothing", "", 400, "empty_body", 0, 0},
		{"no document", "42", 422, "bad_dashboard", 1, 1},
		{"no title", strings.Replace(shopDocument, "title: Shop, Berlin\n", "", 1), 422, "bad_dashboard", 1, 1},
		{"a title of a panel", strings.Replace(shopDocument, "title: Orders", "name: Orders", 1), 422, "bad_dashboard", 2, 5},
		{"too large", shopDocument + "#" + strings.Repeat("x", dashboard.MaxSize), 413, "too_large", 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := s.Do(http.MethodPost, "/api/v1/dashboards/check", c.body)
			var v struct {
				Title    string
				Panels   int
				Version  string
				Document json.RawMessage
				Error    struct{ Code, Message string }
				Faults   []struct {
					Line, Column int
					Message      string
				}
			}
			if err := json.Unmarshal([]byte(a.Body), &v); err != nil {
				t.Fatalf("%d %s", a.Status, a.Body)
			}
			if a.Status != c.status || v.Error.Code != c.code || len(v.Faults) != c.faults || c.faults > 0 && (v.Faults[0].Line != c.line || v.Faults[0].Message == "") {
				t.Errorf("%d %s", a.Status, a.Body)
			}
			if c.status == http.StatusOK {
				if _, err := dashboard.Parse("", v.Document); err != nil || v.Panels != 1 || v.Title == "" || v.Version == "" {
					t.Errorf("%v: %s", err, a.Body)
				}
			}
		})
	}
	if a := s.Do(http.MethodPost, "/api/v1/dashboards/check", shopDocument, "Sec-Fetch-Site", "cross-site"); a.Status != http.StatusForbidden {
		t.Errorf("from another site: %d %s", a.Status, a.Body)
	}
}
