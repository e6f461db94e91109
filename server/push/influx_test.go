package push_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"readout/server/push"
)

func TestInfluxWrite(t *testing.T) {
	ns := fmt.Sprint(now.UnixNano())
	for _, c := range []struct {
		name   string
		path   string
		header http.Header
		body   string
		status int
		code   string
		stored []string
	}{
		{name: "one", path: "/write", body: "cpu,host=a user=0.3,up=true " + ns, status: 204, stored: []string{`cpu{host="a"}@0 user=0.3 up=true`}},
		{name: "version 2", path: "/api/v2/write?org=o&bucket=b&precision=ms", body: fmt.Sprintf("cpu user=0.3 %d\n", now.UnixMilli()-5), status: 204, stored: []string{"cpu@-5 user=0.3"}},
		{name: "without a time", path: "/write?db=x", body: "cpu user=0.3", status: 204, stored: []string{"cpu@0 user=0.3"}},
		{name: "as curl sends it", path: "/write", header: headers("Content-Type", "application/x-www-form-urlencoded"), body: "cpu user=0.3", status: 204, stored: []string{"cpu@0 user=0.3"}},
		{name: "gzip", path: "/write", header: headers("Content-Encoding", "gzip"), body: gzipOf("cpu user=0.3"), status: 204, stored: []string{"cpu@0 user=0.3"}},
		{name: "empty", path: "/write", body: "", status: 204},
		{name: "comments", path: "/write", body: "# nothing\n\n", status: 204},
		{name: "B24", path: "/write", body: "cpu user=0.3\ncpu user=\n", status: 400, code: "bad_line"},
		{name: "some", path: "/write?precision=s", body: "cpu user=0.3\ncpu user=0.4 1\n", status: 422, code: "rejected", stored: []string{"cpu@0 user=0.3"}},
		{name: "forbidden", path: "/write", body: "cpu user=0.3\nsecret user=1", status: 422, code: "rejected", stored: []string{"cpu@0 user=0.3"}},
		{name: "all forbidden", path: "/write", body: "secret user=1\nsecret user=2", status: 403, code: "forbidden"},
		{name: "all refused", path: "/write", body: "secret user=1\ncpu user=0.3 1", status: 422, code: "rejected"},
		{name: "unknown precision", path: "/write?precision=d", body: "cpu user=0.3", status: 400, code: "bad_request"},
		{name: "a token in the address", path: "/write?u=a&p=rdo_abc", body: "cpu user=0.3", status: 400, code: "bad_request"},
		{name: "badly escaped", path: "/write?db=%zz", body: "cpu user=0.3", status: 400, code: "bad_request"},
		{name: "unknown encoding", path: "/write", header: headers("Content-Encoding", "br"), body: "cpu user=0.3", status: 415, code: "unsupported_encoding"},
		{name: "too many", path: "/write", body: strings.Repeat("a b=1\n", 10_001), status: 413, code: "too_many"},
		{name: "too large", path: "/write", body: strings.Repeat("#", 1<<20+1), status: 413, code: "too_large"},
		{name: "a time for all", path: "/write", header: headers("Readout-Time", "1"), body: "cpu user=0.3", status: 400, code: "bad_request"},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := &recorder{}
			w := serve(t, store.options(), c.path, c.header, c.body)
			if w.Code != c.status || c.code != "" != strings.Contains(w.Body.String(), `"`+c.code+`"`) {
				t.Fatalf("answered %d, want %d %q: %s", w.Code, c.status, c.code, w.Body)
			}
			if !slices.Equal(store.readings, c.stored) {
				t.Errorf("stored %q, want %q", store.readings, c.stored)
			}
		})
	}
}

// A retry of the same lines with the same key and unit asks for the same.
func TestInfluxWriteOnce(t *testing.T) {
	store := &recorder{}
	for _, path := range []string{"/write", "/write?db=x", "/write?precision=s", "/api/v2/write"} {
		if w := serve(t, store.options(), path, headers("Idempotency-Key", "k"), "cpu user=0.3"); w.Code != http.StatusNoContent {
			t.Fatalf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	bodies := map[[32]byte]int{}
	for _, once := range store.onces {
		if once.Key != "k" {
			t.Fatalf("key %q", once.Key)
		}
		bodies[once.Body]++
	}
	if len(bodies) != 2 { // nanoseconds and seconds
		t.Errorf("%d different requests, want 2", len(bodies))
	}
}

func TestInfluxQuery(t *testing.T) {
	h := router(push.New((&recorder{}).options()))
	for _, c := range []struct {
		method, path, body string
		status             int
		answer             string
	}{
		{"GET", "/query?q=CREATE+DATABASE+x", "", 200, `{"results":[{"statement_id":0}]}`},
		{"POST", "/query?q=create+database+%22x%22", "", 200, `{"results":[{"statement_id":0}]}`},
		{"POST", "/query", "q=CREATE+DATABASE+%22telegraf%22", 200, `{"results":[{"statement_id":0}]}`},
		{"POST", "/query", "q=CREATE+RETENTION+POLICY+a+ON+b+DURATION+1h+REPLICATION+1", 200, `{"results":[{"statement_id":0}]}`},
		{"GET", "/query?q=SHOW+DATABASES", "", 200, `{"results":[{"statement_id":0,"series":[{"name":"databases","columns":["name"],"values":[["readout"]]}]}]}`},
		{"GET", "/query?q=show+databases%3B", "", 200, `{"results":[{"statement_id":0,"series":[{"name":"databases","columns":["name"],"values":[["readout"]]}]}]}`},
		{"GET", "/query?q=SELECT+*+FROM+cpu", "", 400, ""},
		{"GET", "/query?q=DROP+DATABASE+x", "", 400, ""},
		{"GET", "/query", "", 400, ""},
		{"POST", "/query", "%zz", 400, ""},
		{"POST", "/query", "q=CREATE+DATABASE+x&p=rdo_abc", 400, ""},
		{"POST", "/query", strings.Repeat("q", 1<<17), 413, ""},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), c.method, c.path, strings.NewReader(c.body)))
		if w.Code != c.status || c.answer != "" && strings.TrimSpace(w.Body.String()) != c.answer {
			t.Errorf("%s %s %.40q: %d %s", c.method, c.path, c.body, w.Code, w.Body)
		}
	}
}
