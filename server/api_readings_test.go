package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"readout/server/servertest"
)

// rangeAnswer is what GET /api/v1/readings answers.
type rangeAnswer struct {
	Topic                 string
	Columns, Units, Kinds []string
	Rows                  [][]any
	Of                    int
	Cut                   bool
	ID                    string
	Error                 struct{ Code, Message string }
}

func getJSON[T any](t *testing.T, s *servertest.Server, path string, header ...string) (T, servertest.Answer) {
	t.Helper()
	var v T
	a := s.Do(http.MethodGet, path, "", header...)
	if err := json.Unmarshal([]byte(a.Body), &v); err != nil {
		t.Fatalf("%s: %d %v: %s", path, a.Status, err, a.Body)
	}
	return v, a
}

// pushAll pushes readings of one topic, in JSON, at times in ms.
func pushAll(t *testing.T, s *servertest.Server, topic string, values map[int64]string, order ...int64) {
	t.Helper()
	var list []string
	for _, at := range order {
		name, _ := json.Marshal(topic)
		list = append(list, fmt.Sprintf(`{"topic":%s,"t":%d,"values":%s}`, name, at, values[at]))
	}
	if a := s.Do(http.MethodPost, readingsPath, "["+strings.Join(list, ",")+"]", "Content-Type", "application/json"); a.Status != http.StatusOK {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
}

func TestRangeOfReadings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := servertest.New(t, nil)
		now := time.Now().UnixMilli()
		at := func(minutes int64) int64 { return now - minutes*60_000 }
		values := map[int64]string{
			at(40): `{"n":1,"bytes":1000}`, at(30): `{"n":2,"bytes":4000}`, at(29): `{"n":9,"bytes":10000,"door":"open"}`,
			at(20): `{"n":3,"bytes":100}`, at(10): `{"n":4}`, at(0): `{"n":5,"bytes":700}`,
		}
		const topic = `net{host="web1"}`
		describe := `{"readings":[],"describe":{"net{host=\"web1\"}":{"bytes":{"unit":"bytes","kind":"counter"},"n":{"unit":"orders","kind":"gauge"}}}}`
		if a := s.Do(http.MethodPost, readingsPath, describe, "Content-Type", "application/json"); a.Status != http.StatusOK {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		// One of them comes late.
		pushAll(t, s, topic, values, at(40), at(30), at(20), at(10))
		time.Sleep(time.Second)
		pushAll(t, s, topic, values, at(29))
		time.Sleep(time.Second)
		pushAll(t, s, topic, values, at(0))
		rfc := func(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339Nano) }
		for _, c := range []struct {
			name, query string
			n           string // of the column n, row by row
			of          int
		}{
			{"everything", "", "1 2 9 3 4 5", 6},
			{"from, in ms", fmt.Sprintf("&from=%d", at(30)), "2 9 3 4 5", 6 - 1},
			{"from and to are included", fmt.Sprintf("&from=%d&to=%d", at(30), at(20)), "2 9 3", 3},
			{"a moment", fmt.Sprintf("&from=%d&to=%d", at(20), at(20)), "3", 1},
			{"RFC 3339", "&from=" + url.QueryEscape(rfc(at(20))) + "&to=" + url.QueryEscape(rfc(at(10))), "3 4", 2},
			{"RFC 3339 with a zone", "&to=" + url.QueryEscape(time.UnixMilli(at(30)).In(time.FixedZone("", 3600)).Format(time.RFC3339Nano)), "1 2", 2},
			{"relative", "&from=-15m", "4 5", 2},
			{"relative, both", "&from=-35m&to=-15m", "2 9 3", 3},
			{"nothing in it", "&from=-9m&to=-8m", "", 0},
			{"the future", fmt.Sprintf("&from=%d", now+60_000), "", 0},
			{"few points keep the peak and the last", "&points=1", "1 9 5", 6},
		} {
			v, a := getJSON[rangeAnswer](t, s, readingsPath+"?topic="+url.QueryEscape(topic)+c.query)
			if a.Status != http.StatusOK || v.Topic != topic || strings.Join(v.Columns, " ") != "t bytes n door" && strings.Join(v.Columns, " ") != "t n bytes door" {
				t.Fatalf("%s: %d %s", c.name, a.Status, a.Body)
			}
			var got []string
			for i, row := range v.Rows {
				got = append(got, fmt.Sprint(row[slices.Index(v.Columns, "n")]))
				if i > 0 && row[0].(float64) < v.Rows[i-1][0].(float64) {
					t.Errorf("%s: row %d is older than the one before it", c.name, i)
				}
			}
			// Which of the bytes is lowest and highest decides a row too.
			if text := strings.Join(got, " "); c.query != "&points=1" && text != c.n || v.Of != c.of || v.Cut {
				t.Errorf("%s: n is %q of %d, want %q of %d", c.name, text, v.Of, c.n, c.of)
			}
			if c.query == "&points=1" && (!slices.Contains(got, "9") || !slices.Contains(got, "1") || got[len(got)-1] != "5" || len(got) == 6) {
				t.Errorf("%s: thinned to %q", c.name, got)
			}
		}

		v, _ := getJSON[rangeAnswer](t, s, readingsPath+"?rates=1&from=-36m&topic="+url.QueryEscape(topic))
		bytes := slices.Index(v.Columns, "bytes")
		if v.Units[bytes] != "bytes/s" || v.Kinds[bytes] != "gauge" || v.Units[0] != "ms" || v.Kinds[0] != "time" {
			t.Errorf("units %v, kinds %v", v.Units, v.Kinds)
		}
		// The first rate begins at the reading before the window.
		if got := fmt.Sprint(v.Rows[0][bytes]); got != "5" {
			t.Errorf("the first rate is %s, want 3000 bytes in 600 s", got)
		}
		for i, row := range v.Rows {
			if rate, ok := row[bytes].(float64); ok && rate < 0 {
				t.Errorf("row %d has the rate %v", i, rate)
			}
		}

		a := s.Do(http.MethodGet, readingsPath+"?from=-31m&to=-25m&topic="+url.QueryEscape(topic), "", "Accept", "text/csv")
		lines := strings.Split(strings.TrimSpace(a.Body), "\n")
		if a.Header.Get("Content-Type") != "text/csv; charset=utf-8" || a.Header.Get("Readout-Of") != "2" || len(lines) != 3 || !strings.HasPrefix(lines[0], "t,") ||
			!strings.HasPrefix(lines[2], strconv.FormatInt(at(29), 10)+",") || !strings.Contains(lines[2], "open") {
			t.Errorf("CSV: %v\n%s", a.Header, a.Body)
		}
		if got := a.Header.Get("Content-Disposition"); got != `attachment; filename="net_host__web1.csv"` {
			t.Errorf("the file is %s", got)
		}
		if head := s.Do(http.MethodHead, readingsPath+"?topic=orders", ""); head.Status != http.StatusOK || head.Body != "" || head.Header.Get("Content-Type") != "application/json" {
			t.Errorf("HEAD: %d %q %v", head.Status, head.Body, head.Header)
		}
	})
}

// A stream of more than is read at once says that something was left out.
func TestRangeSaysWhatItCutsAndThins(t *testing.T) {
	s := servertest.New(t, nil)
	values, order := map[int64]string{}, []int64{}
	begin := time.Now().Add(-30 * time.Minute).UnixMilli()
	for i := range int64(5000) {
		at := begin + i*100
		values[at], order = fmt.Sprintf(`{"value":%d}`, i%1000), append(order, at)
	}
	pushAll(t, s, "orders", values, order...)
	v, _ := getJSON[rangeAnswer](t, s, readingsPath+"?topic=orders")
	if v.Of != 5000 || len(v.Rows) > 1000 || len(v.Rows) < 500 {
		t.Errorf("%d rows of %d", len(v.Rows), v.Of)
	}
	v, _ = getJSON[rangeAnswer](t, s, readingsPath+"?topic=orders&points=10000")
	if v.Of != 5000 || len(v.Rows) != 5000 {
		t.Errorf("%d rows of %d", len(v.Rows), v.Of)
	}
	a := s.Do(http.MethodGet, readingsPath+"?topic=orders&format=csv", "")
	if n := strings.Count(a.Body, "\n"); n != 5001 || a.Header.Get("Readout-Cut") != "" {
		t.Errorf("%d lines of CSV, %v", n, a.Header)
	}
}

func TestBadRanges(t *testing.T) {
	l := newLocked(t)
	for _, c := range []struct {
		name, query, token string
		status             int
		code, says         string
	}{
		{"no topic", "", l.view, 400, "bad_request", "topic is missing"},
		{"empty topic", "?topic=", l.view, 400, "bad_request", "topic is missing"},
		{"a selector", "?topic=cpu*", l.view, 422, "bad_topic", ""},
		{"no topic's name", "?topic=" + url.QueryEscape("a b"), l.view, 422, "bad_topic", ""},
		{"topic twice", "?topic=a&topic=b", l.view, 400, "bad_request", "twice"},
		{"unknown parameter", "?topic=a&form=-1h", l.view, 400, "bad_request", `"form"`},
		{"a token in the address", "?topic=a&token=" + l.view, l.view, 400, "bad_request", `"token"`},
		{"bad escape", "?topic=%zz", l.view, 400, "bad_request", "escaped"},
		{"semicolon", "?topic=a;from=1", l.view, 400, "bad_request", "escaped"},
		{"bad from", "?topic=a&from=yesterday", l.view, 400, "bad_request", "from is"},
		{"bad to", "?topic=a&to=tomorrow", l.view, 400, "bad_request", "to is"},
		{"in seconds with a fraction", "?topic=a&from=1763785200.5", l.view, 400, "bad_request", "from is"},
		{"to before from", "?topic=a&from=-1m&to=-2m", l.view, 400, "bad_request", "before from"},
		{"to at the beginning", "?topic=a&to=0", l.view, 400, "bad_request", "before from"},
		{"no points", "?topic=a&points=0", l.view, 400, "bad_request", "points is"},
		{"too many points", "?topic=a&points=10001", l.view, 400, "bad_request", "10000"},
		{"points in words", "?topic=a&points=all", l.view, 400, "bad_request", "points is"},
		{"rates in words", "?topic=a&rates=yes", l.view, 400, "bad_request", "rates is"},
		{"unknown format", "?topic=a&format=xml", l.view, 406, "not_acceptable", "json or csv"},
		{"no token", "?topic=a", "", 401, "unauthorized", ""},
		{"a token that may push", "?topic=a", l.push, 403, "forbidden", ""},
		{"not to be seen, and there", "?topic=secret", l.shop, 403, "forbidden", ""},
		{"not to be seen, and not there", "?topic=secret_other", l.shop, 403, "forbidden", ""},
		{"nothing there", "?topic=shop_orders", l.shop, 200, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var header []string
			if c.token != "" {
				header = []string{"Authorization", "Bearer " + c.token}
			}
			v, a := getJSON[rangeAnswer](t, l.Server, readingsPath+c.query, header...)
			if a.Status != c.status || v.Error.Code != c.code || !strings.Contains(v.Error.Message, c.says) {
				t.Errorf("answered %d %q (%s), want %d %q (%s)", a.Status, v.Error.Code, v.Error.Message, c.status, c.code, c.says)
			}
			if c.token != "" && strings.Contains(a.Body, c.token) {
				t.Error("the answer repeats the token")
			}
			if c.status == http.StatusOK && (len(v.Rows) != 0 || v.ID != "0-0") {
				t.Errorf("a topic that nobody pushed: %s", a.Body)
			}
		})
	}
}
