package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"readout/server"
	"readout/server/servertest"
)

const painted = `"painted":{"le":[25,50,100,250,500,1000,2500],"counts":[1,2,3,0,0,0,0,4]}`

func TestReportsBecomeMetrics(t *testing.T) {
	s := servertest.New(t, nil)
	for _, body := range []string{
		`{"transport":"sse","violations":0,"resumes":2,` + painted + `}`,
		`{"transport":"sse","violations":3,"resumes":1,` + painted + `}`,
		`{"transport":"poll"}`,
		`{"transport":"websocket","resumes":5,"later":{"version":2}}`,
	} {
		if a := s.Do(http.MethodPost, "/live/report", body, "Content-Type", "application/json"); a.Status != http.StatusNoContent || a.Body != "" {
			t.Fatalf("%s: %d %s", body, a.Status, a.Body)
		}
	}
	told := s.Do(http.MethodGet, "/metrics", "").Body
	for _, line := range []string{
		"readout_chain_violations_total 3",
		`readout_viewer_resumes_total{transport="sse"} 3`,
		`readout_viewer_resumes_total{transport="poll"} 0`,
		`readout_viewer_resumes_total{transport="websocket"} 5`,
		`readout_paint_seconds_bucket{le="0.025"} 2`,
		`readout_paint_seconds_bucket{le="0.05"} 6`,
		`readout_paint_seconds_bucket{le="0.1"} 12`,
		`readout_paint_seconds_bucket{le="2.5"} 12`,
		`readout_paint_seconds_bucket{le="+Inf"} 20`,
		"readout_paint_seconds_count 20",
	} {
		if !strings.Contains(told, "\n"+line+"\n") {
			t.Errorf("%s is not among the metrics", line)
		}
	}
}

func TestBadReports(t *testing.T) {
	s := servertest.New(t, nil)
	for name, row := range map[string]struct {
		kind, body string
		status     int
		code       string
	}{
		"nothing":                 {"application/json", "", 400, "empty_body"},
		"garbage":                 {"application/json", "garbage", 400, "bad_message"},
		"two":                     {"application/json", `{"transport":"sse"}{"transport":"sse"}`, 400, "bad_message"},
		"a list":                  {"application/json", `[{"transport":"sse"}]`, 400, "bad_message"},
		"no transport":            {"application/json", `{"violations":1}`, 400, "bad_message"},
		"unknown transport":       {"application/json", `{"transport":"pigeon"}`, 400, "bad_message"},
		"transport in capitals":   {"application/json", `{"transport":"SSE"}`, 400, "bad_message"},
		"negative":                {"application/json", `{"transport":"sse","violations":-1}`, 400, "bad_message"},
		"a hundred thousand bugs": {"application/json", `{"transport":"sse","violations":101}`, 400, "bad_message"},
		"a fraction":              {"application/json", `{"transport":"sse","violations":0.5}`, 400, "bad_message"},
		"more than anyone counts": {"application/json", `{"transport":"sse","resumes":1000001}`, 400, "bad_message"},
		"1e30":                    {"application/json", `{"transport":"sse","resumes":1e30}`, 400, "bad_message"},
		"other bounds":            {"application/json", `{"transport":"sse","painted":{"le":[1,2,3,4,5,6,7],"counts":[0,0,0,0,0,0,0,0]}}`, 400, "bad_message"},
		"no bounds":               {"application/json", `{"transport":"sse","painted":{}}`, 400, "bad_message"},
		"seven counts":            {"application/json", strings.Replace(`{"transport":"sse",`+painted+`}`, ",4]", "]", 1), 400, "bad_message"},
		"negative count":          {"application/json", strings.Replace(`{"transport":"sse",`+painted+`}`, ",4]", ",-4]", 1), 400, "bad_message"},
		"not UTF-8":               {"application/json", "{\"transport\":\"sse\",\"x\":\"\xff\"}", 422, "bad_utf8"},
		"more than 8 KiB":         {"application/json", `{"transport":"sse"` + strings.Repeat(" ", 8<<10) + "}", 413, "too_large"},
		"text":                    {"text/plain;charset=UTF-8", `{"transport":"sse"}`, 415, "unsupported_type"},
		"no type":                 {"", `{"transport":"sse"}`, 415, "unsupported_type"},
	} {
		t.Run(name, func(t *testing.T) {
			a := s.Do(http.MethodPost, "/live/report", row.body, "Content-Type", row.kind)
			if code := readPushed(t, a.Body).Error.Code; a.Status != row.status || code != row.code {
				t.Errorf("answered %d %s, want %d %s", a.Status, code, row.status, row.code)
			}
		})
	}
	if told := s.Do(http.MethodGet, "/metrics", "").Body; !strings.Contains(told, "\nreadout_chain_violations_total 0\n") || !strings.Contains(told, "\nreadout_paint_seconds_count 0\n") {
		t.Error("a bad report was counted")
	}
}

// Whoever reports lies is bounded: the count still says that something is wrong, and
// not how much somebody likes to send.
func TestViolationsAreCountedWithinBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := servertest.New(t, nil)
		report := func() servertest.Answer {
			return s.Do(http.MethodPost, "/live/report", `{"transport":"sse","violations":100,"resumes":1}`, "Content-Type", "application/json")
		}
		told := func(count int) {
			t.Helper()
			if line := fmt.Sprintf("\nreadout_chain_violations_total %d\n", count); !strings.Contains(s.Do(http.MethodGet, "/metrics", "").Body, line) {
				t.Errorf("%q is not among the metrics", line)
			}
		}
		for i := range 15 {
			a := report()
			if i < 10 && a.Status != http.StatusNoContent || i >= 10 && (a.Status != http.StatusTooManyRequests || readPushed(t, a.Body).Error.Code != "limit") {
				t.Errorf("report %d: %d %s", i, a.Status, a.Body)
			}
		}
		told(1000)
		if a := s.Do(http.MethodPost, "/live/report", `{"transport":"sse","resumes":1}`, "Content-Type", "application/json"); a.Status != http.StatusNoContent {
			t.Errorf("an honest report: %d %s", a.Status, a.Body)
		}
		time.Sleep(time.Minute)
		report()
		told(1100)
	})
}

// A browser cannot see how its handshake was answered. GET /api/v1/session
// answers the same.
func TestASessionSaysWhyAHandshakeFails(t *testing.T) {
	public := func(o *server.Options) { o.PublicURL = "https://ok.example" }
	for _, row := range []struct {
		name   string
		locked bool
		change func(*server.Options)
		drain  bool
		send   func(l *locked) []string
		status int
		code   string
	}{
		{name: "open", status: 200},
		{name: "our own page", send: func(*locked) []string { return []string{"Origin", "http://localhost"} }, status: 200},
		{name: "token", locked: true, send: func(l *locked) []string { return []string{"Authorization", "Bearer " + l.view} }, status: 200},
		{name: "no token", locked: true, status: 401, code: "unauthorized"},
		{name: "garbage", locked: true, send: func(*locked) []string { return []string{"Authorization", "Bearer garbage"} }, status: 401, code: "unauthorized"},
		{name: "expired", locked: true, send: func(l *locked) []string { return []string{"Authorization", "Bearer " + l.expired} }, status: 401, code: "unauthorized"},
		{name: "may not view", locked: true, send: func(l *locked) []string { return []string{"Authorization", "Bearer " + l.push} }, status: 403, code: "forbidden"},
		{name: "a page of another site", send: func(*locked) []string { return []string{"Origin", "https://evil.example"} }, status: 403, code: "bad_origin"},
		{name: "null", send: func(*locked) []string { return []string{"Origin", "null"} }, status: 403, code: "bad_origin"},
		{name: "http for https", change: public, send: func(*locked) []string { return []string{"Host", "ok.example", "Origin", "http://ok.example"} }, status: 403, code: "bad_origin"},
		{name: "wrong host", send: func(*locked) []string { return []string{"Host", "evil.example"} }, status: 421, code: "wrong_host"},
		{name: "draining", drain: true, status: 503, code: "draining"},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &locked{}
				if row.locked {
					l = newLocked(t)
				} else {
					l.Server = servertest.New(t, &servertest.Options{Change: row.change})
				}
				var headers []string
				if row.send != nil {
					headers = row.send(l)
				}
				if row.drain {
					l.Drain()
				}
				a := l.Do(http.MethodGet, "/api/v1/session", "", headers...)
				if a.Status != row.status {
					t.Fatalf("answered %d %s, want %d", a.Status, a.Body, row.status)
				}
				_, handshook := open(t, l.Server, handshake("/live", headers...))
				if shook := handshook.StatusCode; shook != row.status && !(shook == http.StatusSwitchingProtocols && row.status == http.StatusOK) {
					t.Errorf("a handshake is answered %d", shook)
				}
				if row.status != http.StatusOK {
					if code := readPushed(t, a.Body).Error.Code; code != row.code {
						t.Errorf("answered %s, want %s", code, row.code)
					}
					return
				}
				if want := `{"view":true,"expires":null,"transports":["websocket","sse","poll"]}` + "\n"; a.Body != want {
					t.Errorf("answered %s", a.Body)
				}
			})
		})
	}
}
