package server_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-chi/chi/v5"

	"readout/server/servertest"
	"readout/static"
)

// routeRow is a request that a route serves, and what everyone gets for it: on
// an open server, without a token, with a wrong, a push-only and a view-only one.
type routeRow struct {
	policy   string
	path     string
	header   []string
	body     string
	statuses [5]int
	kind     string // Content-Type where it is served
	cache    string // Cache-Control where it is served
}

var (
	forViewers  = [5]int{200, 401, 401, 403, 200}
	forPushers  = [5]int{200, 401, 401, 200, 403}
	forManagers = [5]int{200, 401, 401, 403, 403}
	forAll      = [5]int{200, 200, 200, 200, 200}
)

// routeRows has a row for every route; a new route needs one.
func routeRows() map[string]routeRow {
	const page, text = "text/html; charset=utf-8", "text/plain; charset=utf-8"
	jsonBody := []string{"Content-Type", "application/json"}
	rows := map[string]routeRow{
		"GET /":                 {"viewers", "/", nil, "", forViewers, page, "no-store"},
		"GET /topics":           {"viewers", "/topics", nil, "", forViewers, page, "no-store"},
		"GET /t/*":              {"viewers", "/t/secret", nil, "", forViewers, page, "no-store"},
		"POST /t/*":             {"pushers", "/t/orders", nil, "42", forPushers, "application/json", ""},
		"PATCH /t/*":            {"managers", "/t/secret", nil, `{"hidden":true}`, forManagers, "application/json", "no-store"},
		"DELETE /t/*":           {"managers", "/t/doomed", nil, "", [5]int{204, 401, 401, 403, 403}, "", "no-store"},
		"POST /api/v1/readings": {"pushers", readingsPath, jsonBody, "[]", forPushers, "application/json", ""},
		"POST /write":           {"pushers", "/write?db=shop&precision=s", nil, "orders value=42", [5]int{204, 401, 401, 204, 403}, "", ""},
		"POST /api/v2/write":    {"pushers", "/api/v2/write?org=shop&bucket=shop", nil, "orders value=42", [5]int{204, 401, 401, 204, 403}, "", ""},
		"GET /query":            {"pushers", "/query?q=SHOW+DATABASES", nil, "", forPushers, "application/json", ""},
		"POST /query":           {"pushers", "/query?q=CREATE+DATABASE+shop", nil, "", forPushers, "application/json", ""},
		"GET /ping":             {"public", "/ping", nil, "", [5]int{204, 204, 204, 204, 204}, "", "no-store"},
		"GET /api/v1/readings":  {"viewers", readingsPath + "?topic=secret", nil, "", forViewers, "application/json", "no-store"},
		"GET /api/v1/topics":    {"viewers", "/api/v1/topics", nil, "", forViewers, "application/json", "no-store"},
		"GET /api/v1/search":    {"viewers", "/api/v1/search?q=s", nil, "", forViewers, "application/json", "no-store"},

		"GET /api/v1/dashboards":        {"viewers", "/api/v1/dashboards", nil, "", forViewers, "application/json", "no-store"},
		"GET /api/v1/dashboards/{slug}": {"viewers", "/api/v1/dashboards/machine", nil, "", forViewers, "application/json", "no-cache"},
		"POST /api/v1/dashboards/check": {"viewers", "/api/v1/dashboards/check", nil, "readout: 1\ntitle: Shop\npanels:\n  - {title: Orders, topics: [orders]}\n", forViewers, "application/json", "no-store"},

		"GET /d":           {"viewers", "/d?match=*", nil, "", forViewers, page, "no-store"},
		"GET /d/{slug}":    {"viewers", "/d/machine", nil, "", forViewers, page, "no-store"},
		"GET /design":      {"viewers", "/design", nil, "", [5]int{404, 401, 401, 403, 404}, "", "no-store"}, // only for those who develop Readout
		"GET /docs":        {"public", "/docs", nil, "", forAll, page, "no-cache"},
		"GET /docs/{page}": {"public", "/docs/push", nil, "", forAll, page, "no-cache"},

		"GET /livez":   {"public", "/livez", nil, "", forAll, text, "no-store"},
		"GET /healthz": {"public", "/healthz", nil, "", forAll, text, "no-store"},
		"GET /readyz":  {"public", "/readyz", nil, "", forAll, "application/json", "no-store"},
		"GET /metrics": {"viewers", "/metrics", nil, "", forViewers, "text/plain; version=0.0.4; charset=utf-8; escaping=underscores", ""},
		// A token that may not view opens a socket and is refused each topic.
		"GET /live": {"sockets", "/live", []string{"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
			"", [5]int{101, 401, 401, 403, 101}, "", ""},
		"POST /live/sse":      {"viewers", "/live/sse", jsonBody, `{"id":1,"topics":["secret"]}`, forViewers, "text/event-stream", "no-store"},
		"POST /live/poll":     {"viewers", "/live/poll", jsonBody, `{"id":1,"topics":["secret"]}`, forViewers, "application/json", "no-store"},
		"POST /live/report":   {"viewers", "/live/report", jsonBody, `{"transport":"sse"}`, [5]int{204, 401, 401, 403, 204}, "", "no-store"},
		"GET /api/v1/session": {"viewers", "/api/v1/session", nil, "", forViewers, "application/json", "no-store"},
	}
	script := routeRow{"public", static.URL("app.js"), nil, "", forAll, "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"}
	if !static.Built() { // a checkout in which no page script was built
		script.path, script.statuses, script.kind, script.cache = "/static/app.js", [5]int{404, 404, 404, 404, 404}, "", ""
	}
	rows["GET /static/*"] = script
	return rows
}

// send sends a row's request on a connection of its own and returns the answer
// without its body.
func (row routeRow) send(t *testing.T, s *servertest.Server, method, token string) *http.Response {
	t.Helper()
	request := method + " " + row.path + " HTTP/1.1\r\nHost: localhost\r\n"
	for i := 0; i < len(row.header); i += 2 {
		request += row.header[i] + ": " + row.header[i+1] + "\r\n"
	}
	if token != "" {
		request += "Authorization: Bearer " + token + "\r\n"
	}
	if row.body != "" {
		request += "Content-Length: " + strconv.Itoa(len(row.body)) + "\r\n"
	}
	conn := s.Raw()
	defer conn.Close()
	go func() { _, _ = io.WriteString(conn, request+"\r\n"+row.body) }() // ends with the connection
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func TestEveryRouteDeclaresItsPolicy(t *testing.T) {
	s := servertest.New(t, nil)
	declared, rows := s.RoutePolicies(), routeRows()
	if len(declared) != s.RouteCount() {
		t.Errorf("%d routes, but %d methods and patterns: one hides another", s.RouteCount(), len(declared))
	}
	for route, policy := range declared {
		if row, ok := rows[route]; !ok {
			t.Errorf("%s has no row in this test", route)
		} else if policy != row.policy {
			t.Errorf("%s is for %q, want %q", route, policy, row.policy)
		}
	}
	for route := range rows {
		if _, ok := declared[route]; !ok {
			t.Errorf("%s is not a route", route)
		}
	}
	routes, ok := s.Handler().(chi.Routes)
	if !ok {
		t.Fatalf("the handler is a %T", s.Handler())
	}
	served := 0
	if err := chi.Walk(routes, func(method, pattern string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		served++
		if _, ok := declared[method+" "+pattern]; !ok {
			t.Errorf("%s %s is served and not declared in routes()", method, pattern)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if served != len(declared) {
		t.Errorf("%d routes are served, %d declared", served, len(declared))
	}
}

// newUnlocked is an open server with the topics of the rows.
func newUnlocked(t *testing.T) *servertest.Server {
	t.Helper()
	s := servertest.New(t, nil)
	for _, topic := range []string{"orders", "secret", "doomed"} {
		s.Push(topic, "1")
	}
	return s
}

func TestWhoMayUseEachRoute(t *testing.T) {
	unlocked, locked := newUnlocked(t), newLocked(t)
	for route, row := range routeRows() {
		method, _, _ := strings.Cut(route, " ")
		for i, who := range []struct {
			name  string
			s     *servertest.Server
			token string
		}{
			{"open server", unlocked, ""}, {"no token", locked.Server, ""}, {"wrong token", locked.Server, "rdo_abcdefghijklmnop_abc"},
			{"push-only token", locked.Server, locked.push}, {"view-only token", locked.Server, locked.view},
		} {
			t.Run(route+" "+who.name, func(t *testing.T) {
				answer := row.send(t, who.s, method, who.token)
				if answer.StatusCode != row.statuses[i] {
					t.Errorf("answered %d, want %d", answer.StatusCode, row.statuses[i])
				}
				if answer.StatusCode == http.StatusUnauthorized && !strings.HasPrefix(answer.Header.Get("WWW-Authenticate"), "Basic ") {
					t.Error("a browser is not asked for a token")
				}
			})
		}
	}
}

// Headers of every answer: those to POST are data and never documents.
func TestSecurityHeadersOfEachRoute(t *testing.T) {
	const policy = "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; " +
		"object-src 'none'; base-uri 'none'; form-action 'self'; require-trusted-types-for 'script'; frame-ancestors "
	always := map[string]string{
		"Content-Security-Policy": policy + "'none'",
		"Referrer-Policy":         "no-referrer", "Cross-Origin-Opener-Policy": "same-origin",
	}
	unlocked, locked := newUnlocked(t), newLocked(t)
	check := func(name string, answer *http.Response, differ map[string]string) {
		t.Run(name, func(t *testing.T) {
			want := map[string]string{"X-Content-Type-Options": "nosniff"}
			data := strings.HasPrefix(name, "POST ")
			if !data {
				maps.Copy(want, always)
			}
			if data && answer.StatusCode == http.StatusNoContent {
				clear(want) // it has no body
			}
			for header, value := range differ {
				want[header] = value
			}
			for header, value := range want {
				if got := answer.Header.Get(header); got != value {
					t.Errorf("%s: %s\nwant %s", header, got, value)
				}
			}
			if named := answer.Header.Get("X-Request-Id") != ""; named != (!data || answer.StatusCode >= 400) {
				t.Errorf("the answer names its request: %v", named)
			}
			for _, header := range []string{"Server", "X-Powered-By", "Set-Cookie", "Access-Control-Allow-Credentials"} {
				if got := answer.Header.Get(header); got != "" {
					t.Errorf("%s: %s", header, got)
				}
			}
			if allow := answer.Header.Get("Access-Control-Allow-Origin"); allow != "" && !strings.Contains(name, "/static/") {
				t.Errorf("other sites may read %s", name)
			}
		})
	}
	for route, row := range routeRows() {
		if row.path == "/live" {
			continue // a switched protocol has no document
		}
		method, _, _ := strings.Cut(route, " ")
		served := map[string]string{"Cache-Control": row.cache}
		if row.kind != "" {
			served["Content-Type"] = row.kind
		}
		check(route, row.send(t, unlocked, method, ""), served)
		if row.statuses[1] == http.StatusUnauthorized {
			refused := map[string]string{"Content-Type": "application/json", "Cache-Control": "no-store"}
			check(route+" refused", row.send(t, locked.Server, method, ""), refused)
		}
	}
	get := func(path string, header ...string) *http.Response {
		return routeRow{path: path, header: header}.send(t, unlocked, http.MethodGet, "")
	}
	json := map[string]string{"Content-Type": "application/json", "Cache-Control": "no-store"}
	page := map[string]string{"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store"}
	check("nothing here", get("/nothing"), json)
	check("nothing here, for people", get("/nothing", "Accept", "text/html"), page)
	check("a handshake that is none", get("/live"), json)
	check("an event stream", get("/t/orders?format=sse"), map[string]string{"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
	check("JSON", get("/t/orders?format=json"), json)
	check("a panel to embed", get("/t/orders?view=embed"), map[string]string{"Content-Security-Policy": policy + "'self'", "Content-Type": "text/html; charset=utf-8"})
	check("a wrong host", &http.Response{Header: unlocked.Do(http.MethodGet, "/", "", "Host", "evil.example").Header}, json)
}

// counted counts what the server reads of a connection, from our side of it.
type counted struct {
	net.Conn
	sent atomic.Int64
}

func (c *counted) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.sent.Add(int64(n))
	return n, err
}

// A body of 100 MB to each route is refused or left alone: neither is it read
// nor kept.
func TestEachRouteBoundsItsBody(t *testing.T) {
	const size = 100 << 20
	block := bytes.Repeat([]byte(" "), 32<<10)
	for route, row := range routeRows() {
		method, _, _ := strings.Cut(route, " ")
		for _, framing := range []string{"Content-Length: " + strconv.Itoa(size), "Transfer-Encoding: chunked"} {
			t.Run(route+" "+framing, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { // net/http waits half a second before it hangs up
					s := newUnlocked(t) // on pipes what is written is what was read
					conn := &counted{Conn: s.Raw()}
					var status int
					cost := allocated(func() {
						done := make(chan struct{})
						go func() { // ends when everything is written or the server has hung up
							defer close(done)
							request := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n%s\r\n\r\n", method, row.path, framing)
							if _, err := io.WriteString(conn, request); err != nil {
								return
							}
							for range size / len(block) {
								if strings.HasPrefix(framing, "Transfer") {
									if _, err := fmt.Fprintf(conn, "%x\r\n", len(block)); err != nil {
										return
									}
								}
								if _, err := conn.Write(block); err != nil {
									return
								}
								if strings.HasPrefix(framing, "Transfer") {
									if _, err := io.WriteString(conn, "\r\n"); err != nil {
										return
									}
								}
							}
						}()
						answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
						if err != nil {
							t.Error(err)
							return
						}
						status = answer.StatusCode
						_, _ = io.Copy(io.Discard, answer.Body)
						_ = conn.SetDeadline(time.Now().Add(2 * time.Second)) // for a server that reads on
						<-done
						conn.Close()
					})
					want := row.statuses[0]
					switch {
					case method == http.MethodPost || method == http.MethodPatch:
						want = http.StatusRequestEntityTooLarge
					case row.path == "/live":
						want = http.StatusUpgradeRequired
					}
					if status != want {
						t.Errorf("answered %d, want %d", status, want)
					}
					if sent := conn.sent.Load(); sent > 3<<20 {
						t.Errorf("%d bytes were read", sent)
					}
					if cost > 8<<20 {
						t.Errorf("%d bytes were allocated", cost)
					}
				})
			})
		}
	}
}
