package server_test

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"
	"testing"

	"readout/server/servertest"
)

// What is answered is what the document says: each request here is sent, and its
// status, type and body are looked up there.
func TestAnswersAreDocumented(t *testing.T) {
	doc := readOpenAPI(t)
	s, locked := servertest.New(t, nil), newLocked(t)
	describe := `{"readings":[{"topic":"cpu{host=\"web1\"}","values":{"user":0.3,"up":true}},{"topic":"door","value":"open"}],"describe":{"cpu{host=\"web1\"}":{"user":{"unit":"percent","kind":"gauge"}}}}`
	jsonType := []string{"Content-Type", "application/json"}
	dashboard := `{"readout":1,"title":"Shop","panels":[{"title":"Orders","topics":["orders"],"kind":"stat","thresholds":[{"at":1,"level":"warn","below":true,"name":"few"}]}]}`
	for _, c := range []struct {
		operation, path, body string
		header                []string
		status                int
	}{
		{"POST /api/v1/readings", readingsPath, describe, jsonType, 200},
		{"POST /api/v1/readings", readingsPath, `[{"topic":"orders","value":1},{"topic":"","value":1}]`, jsonType, 422},
		{"POST /api/v1/readings", readingsPath, `[`, jsonType, 400},
		{"POST /api/v1/readings", readingsPath, `[]`, nil, 415},
		{"POST /t/{topic}", "/t/orders?shop=berlin", "42", nil, 200},
		{"POST /t/{topic}", "/t/orders", "42", []string{"User-Agent", "curl/8"}, 200},
		{"POST /t/{topic}", "/t/orders", "42", []string{"Prefer", "return=minimal"}, 204},
		{"POST /api/v1/readings", readingsPath, `{"topic":"orders","value":1}`, append(jsonType, "Prefer", "return=minimal"), 204},
		{"POST /t/{topic}", "/t/orders", "NaN", nil, 422},
		{"POST /t/{topic}", "/t/orders", "", nil, 400},
		{"POST /write", "/write?db=shop&precision=ms", "orders,shop=berlin value=42i", nil, 204},
		{"POST /write", "/write", "orders", nil, 400},
		{"POST /write", "/write?precision=d", "orders value=42", nil, 400},
		{"POST /api/v2/write", "/api/v2/write?org=shop&bucket=shop&precision=s", "orders value=42 1\norders value=42", nil, 422},
		{"POST /api/v2/write", "/api/v2/write", "orders value=42", nil, 204},
		{"POST /api/v2/write", "/api/v2/write", "orders value=42", []string{"Content-Encoding", "br"}, 415},
		{"GET /query", "/query?q=SHOW+DATABASES", "", nil, 200},
		{"GET /query", "/query?q=SELECT+1", "", nil, 400},
		{"POST /query", "/query", "q=CREATE+DATABASE+shop", nil, 200},
		{"POST /query", "/query", "", nil, 400},
		{"GET /ping", "/ping", "", nil, 204},
		{"GET /t/{topic}", "/t/orders", "", nil, 200},
		{"GET /t/{topic}", "/t/orders?format=json", "", nil, 200},
		{"GET /t/{topic}", "/t/orders?format=csv", "", nil, 200},
		{"GET /t/{topic}", "/t/orders?format=txt", "", nil, 200},
		{"GET /t/{topic}", "/t/nothing?format=txt", "", nil, 404},
		{"GET /t/{topic}", "/t/orders?format=xml", "", nil, 406},
		{"GET /t/{topic}", "/t/orders?view=none", "", nil, 400},
		{"GET /api/v1/readings", readingsPath + "?topic=cpu%7Bhost%3D%22web1%22%7D&from=-1h", "", nil, 200},
		{"GET /api/v1/readings", readingsPath + "?topic=door&rates=1", "", nil, 200},
		{"GET /api/v1/readings", readingsPath + "?topic=door&format=csv", "", nil, 200},
		{"GET /api/v1/readings", readingsPath + "?topic=nothing", "", nil, 200},
		{"GET /api/v1/readings", readingsPath, "", nil, 400},
		{"GET /api/v1/topics", "/api/v1/topics?limit=1", "", nil, 200},
		{"GET /api/v1/topics", "/api/v1/topics?match=%7B", "", nil, 422},
		{"GET /api/v1/search", "/api/v1/search?q=o", "", nil, 200},
		{"GET /api/v1/search", "/api/v1/search?q=" + strings.Repeat("a", 300), "", nil, 400},
		{"GET /api/v1/dashboards", "/api/v1/dashboards", "", nil, 200},
		{"GET /api/v1/dashboards/{slug}", "/api/v1/dashboards/machine", "", nil, 200},
		{"GET /api/v1/dashboards/{slug}", "/api/v1/dashboards/readout", "", nil, 200},
		{"GET /api/v1/dashboards/{slug}", "/api/v1/dashboards/machine?format=yaml", "", nil, 200},
		{"GET /api/v1/dashboards/{slug}", "/api/v1/dashboards/machine", "", []string{"If-None-Match", "*"}, 304},
		{"GET /api/v1/dashboards/{slug}", "/api/v1/dashboards/nothing", "", nil, 404},
		{"POST /api/v1/dashboards/check", "/api/v1/dashboards/check", dashboard, nil, 200},
		{"POST /api/v1/dashboards/check", "/api/v1/dashboards/check", "readout: 2", nil, 422},
		{"PATCH /t/{topic}", "/t/door", `{"hidden":true}`, nil, 200},
		{"PATCH /t/{topic}", "/t/door", `{}`, nil, 400},
		{"PATCH /t/{topic}", "/t/nothing", `{"hidden":true}`, nil, 404},
		{"DELETE /t/{topic}", "/t/door", "", nil, 204},
		{"DELETE /t/{topic}", "/t/door", "", nil, 404},
		{"GET /live", "/live", "", nil, 426},
		{"POST /live/poll", "/live/poll", `{"id":1,"topics":["orders","a b"]}`, jsonType, 200},
		{"POST /live/poll", "/live/poll", `{"id":1}`, jsonType, 400},
		{"POST /live/poll", "/live/poll", `{"id":1,"topics":["orders"]}`, nil, 415},
		{"POST /live/sse", "/live/sse", "garbage", jsonType, 400},
		{"POST /live/report", "/live/report", `{"transport":"poll","resumes":1}`, jsonType, 204},
		{"POST /live/report", "/live/report", `{"transport":"pigeon"}`, jsonType, 400},
		{"GET /api/v1/session", "/api/v1/session", "", nil, 200},
		{"GET /", "/", "", nil, 200},
		{"GET /topics", "/topics?match=%7B", "", nil, 422},
		{"GET /d/{slug}", "/d/machine", "", nil, 200},
		{"GET /d/{slug}", "/d/nothing", "", nil, 404},
		{"GET /d", "/d?match=*", "", nil, 200},
		{"GET /design", "/design", "", nil, 404},
		{"GET /docs", "/docs", "", nil, 200},
		{"GET /docs/{page}", "/docs/api", "", nil, 200},
		{"GET /docs/{page}", "/docs/openapi.yaml", "", nil, 200},
		{"GET /docs/{page}", "/docs/nothing", "", nil, 404},
		{"GET /livez", "/livez", "", nil, 200},
		{"GET /healthz", "/healthz", "", nil, 200},
		{"GET /readyz", "/readyz", "", nil, 200},
		{"GET /metrics", "/metrics", "", nil, 200},
	} {
		t.Run(fmt.Sprintf("%s %d %s", c.operation, c.status, c.path), func(t *testing.T) {
			method, _, _ := strings.Cut(c.operation, " ")
			operation := doc.operations()[c.operation]
			doc.confirm(t, operation, s.Do(method, c.path, c.body, c.header...), c.status)
			if _, own := operation["security"]; !own && c.path != "/live" { // which wants a handshake first
				doc.confirm(t, operation, locked.Do(method, c.path, c.body, c.header...), http.StatusUnauthorized)
			}
		})
	}
}

// confirm compares an answer with the operation's. What is not listed by its
// status is what default says.
func (d openAPI) confirm(t *testing.T, operation map[string]any, a servertest.Answer, status int) {
	t.Helper()
	if a.Status != status {
		t.Fatalf("answered %d, want %d: %s", a.Status, status, a.Body)
	}
	documented, listed := object(operation["responses"])[fmt.Sprint(status)]
	if !listed {
		t.Fatalf("%d is not documented", status)
	}
	content := object(object(d.resolve(documented))["content"])
	if len(content) == 0 {
		if a.Body != "" {
			t.Errorf("%d has no documented body: %s", status, a.Body)
		}
		return
	}
	kind, _, err := mime.ParseMediaType(a.Header.Get("Content-Type"))
	if err != nil || content[kind] == nil {
		t.Fatalf("%s is not documented: %v", kind, a.Body)
	}
	if kind != "application/json" {
		return
	}
	var body any
	if err := json.Unmarshal([]byte(a.Body), &body); err != nil {
		t.Fatal(err)
	}
	for _, wrong := range d.check(object(content[kind])["schema"], body) {
		t.Errorf("%s: %s", wrong, a.Body)
	}
	if code, _ := object(object(body)["error"])["code"].(string); code != "" {
		codes, _ := object(d.at("components", "schemas", "Code"))["enum"].([]any)
		if !slices.Contains(codes, any(code)) {
			t.Errorf("the code %s is not documented", code)
		}
	}
}
