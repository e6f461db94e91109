package push_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"readout/server/problem"
	"readout/server/push"
	"readout/server/reading"
)

var now = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

// recorder is a store in memory: it keeps what was appended, in order.
type recorder struct {
	mu        sync.Mutex // protects all fields below
	readings  []string
	onces     []push.Once
	acks      []push.Ack
	described []string
	fail      error
}

func (s *recorder) append(_ context.Context, readings []reading.Reading, once push.Once, ack push.Ack) ([]reading.StreamID, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return nil, s.fail
	}
	var ids []reading.StreamID
	for _, r := range readings {
		line := fmt.Sprintf("%s@%d", r.Topic, r.Time-now.UnixMilli())
		for _, v := range r.Values {
			line += " " + v.Name + "=" + v.Value.String()
		}
		s.readings = append(s.readings, line)
		ids = append(ids, reading.StreamID{Ms: uint64(now.UnixMilli()), Seq: uint64(len(s.readings))})
	}
	s.onces, s.acks = append(s.onces, once), append(s.acks, ack)
	return ids, nil
}

func (s *recorder) describe(_ context.Context, topic reading.Topic, columns []reading.Column) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range columns {
		s.described = append(s.described, fmt.Sprintf("%s %s %s %s", topic, c.Name, c.Unit, c.Kind))
	}
	return nil
}

// options are those of an open server on which nobody may push to secret.
func (s *recorder) options() push.Options {
	return push.Options{
		Append:   s.append,
		Describe: s.describe,
		Can: func(_ *http.Request, topic reading.Topic) error {
			if topic.Name() == "secret" {
				return problem.New("forbidden", "the token may not push here")
			}
			return nil
		},
		Sender:    func(*http.Request) string { return "sender" },
		URL:       func(_ *http.Request, topic reading.Topic) string { return "http://localhost:8080/t/" + topic.Name() },
		Retention: time.Hour,
		Now:       func() time.Time { return now },
	}
}

// router is the least that serves the handlers: errors become a status and their code.
func router(h *push.Handlers) http.Handler {
	handle := func(f func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if err := f(w, r); err != nil {
				p, row := problem.Of(err)
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(row.Status)
				_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]string{"code": p.Code, "message": p.Message}})
			}
		}
	}
	mux := chi.NewRouter()
	mux.Post("/t/*", handle(h.Topic))
	mux.Post("/api/v1/readings", handle(h.Readings))
	mux.Post("/write", handle(h.Write))
	mux.Post("/api/v2/write", handle(h.Write))
	mux.Get("/query", handle(h.Query))
	mux.Post("/query", handle(h.Query))
	return mux
}

// answer is any body of an answer.
type answer struct {
	Topic, ID, URL string
	Stored         int
	LastID         string `json:"last_id"`
	Rejected       []struct {
		Index         int
		Code, Message string
	}
	Error struct{ Code, Message string }
}

// post sends a body and returns the status and the answer.
func post(t *testing.T, url string, header http.Header, body io.Reader) (int, answer) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, body)
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(r.Header, header)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if kind := res.Header.Get("Content-Type"); kind != "application/json" {
		t.Fatalf("status %d, Content-Type %q", res.StatusCode, kind)
	}
	var a answer
	if err := json.NewDecoder(res.Body).Decode(&a); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, a
}

func headers(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

func gzipOf(plain string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, plain)
	_ = w.Close()
	return b.String()
}

// endless is a body without a length and without an end.
type endless struct{}

func (endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = ' '
	}
	return len(b), nil
}

// bomb is 16 MiB in one member of gzip.
var bomb = gzipOf(strings.Repeat(" ", 16<<20))

func TestReadings(t *testing.T) {
	one := `{"topic":"a","value":1}`
	jsonType := headers("Content-Type", "application/json")
	with := func(pairs ...string) http.Header {
		h := headers(pairs...)
		h.Set("Content-Type", "application/json")
		return h
	}
	for _, c := range []struct {
		name    string
		header  http.Header
		body    string
		status  int
		code    string
		stored  []string
		refused string // index:code of the rejected readings
	}{
		{name: "one", header: jsonType, body: one, status: 200, stored: []string{"a@0 value=1"}},
		{name: "charset", header: headers("Content-Type", "Application/JSON; charset=utf-8"), body: one, status: 200, stored: []string{"a@0 value=1"}},
		{name: "ndjson", header: headers("Content-Type", "application/x-ndjson"), body: one + "\n" + one, status: 200, stored: []string{"a@0 value=1", "a@0 value=1"}},
		{name: "gzip", header: with("Content-Encoding", "gzip"), body: gzipOf(one), status: 200, stored: []string{"a@0 value=1"}},
		{name: "all at most", header: jsonType, body: "[" + strings.Repeat(one+",", 9999) + one + "]", status: 200, stored: slices.Repeat([]string{"a@0 value=1"}, 10000)},
		{name: "B1", header: jsonType, body: ``, status: 400, code: "empty_body"},
		{name: "B2 null", header: jsonType, body: `null`, status: 400, code: "bad_json"},
		{name: "B2 []", header: jsonType, body: `[]`, status: 200},
		{name: "B2 string", header: jsonType, body: `"x"`, status: 400, code: "bad_json"},
		{name: "B2 number", header: jsonType, body: `1`, status: 400, code: "bad_json"},
		{name: "B3", header: jsonType, body: `[{"topic":"a","value":1},{"to`, status: 400, code: "bad_json"},
		{name: "B4", header: jsonType, body: one + one, status: 400, code: "bad_json"},
		{name: "B4 ndjson", header: headers("Content-Type", "application/x-ndjson"), body: one + one, status: 400, code: "bad_json"},
		{name: "B5", header: jsonType, body: "\xef\xbb\xbf" + one, status: 200, stored: []string{"a@0 value=1"}},
		{name: "B5 twice", header: jsonType, body: "\xef\xbb\xbf\xef\xbb\xbf" + one, status: 400, code: "bad_json"},
		{name: "B6", header: jsonType, body: "[" + one + ",{\"topic\":\"a{x=\\\"\xff\\\"}\",\"value\":1}]", status: 422, code: "rejected", stored: []string{"a@0 value=1"}, refused: "1:bad_utf8"},
		{name: "B7", header: jsonType, body: `{"topic":"a","value":"\ud800"}`, status: 422, code: "rejected", refused: "0:bad_utf8"},
		{name: "B8", header: jsonType, body: `{"topic":"a","value":1,"value":2}`, status: 400, code: "duplicate_key"},
		{name: "B8 case", header: jsonType, body: `{"Topic":"a","value":1}`, status: 400, code: "unknown_field"},
		{name: "B9", header: jsonType, body: `{"topic":"a","value":1,"tags":{}}`, status: 400, code: "unknown_field"},
		{name: "B10 NaN", header: jsonType, body: `{"topic":"a","value":NaN}`, status: 400, code: "bad_json"},
		{name: "B10 1e400", header: jsonType, body: `{"topic":"a","value":1e400}`, status: 422, code: "rejected", refused: "0:not_a_number"},
		{name: "B10 text", header: jsonType, body: `{"topic":"a","value":"1"}`, status: 200, stored: []string{"a@0 value=1"}},
		{name: "B11", header: jsonType, body: `{"topic":"a","value":9007199254740993}`, status: 200, stored: []string{"a@0 value=9007199254740992"}},
		{name: "B12", header: jsonType, body: `{"topic":` + strings.Repeat("[", 20000), status: 400, code: "bad_json"},
		{name: "B13 within the body cap", header: jsonType, body: `{"topic":"a{x=\"` + strings.Repeat("y", 1<<19) + `\"}","value":1}`, status: 422, code: "rejected", refused: "0:bad_topic"},
		{name: "B13", header: jsonType, body: `{"topic":"a{x=\"` + strings.Repeat("y", 10<<20) + `\"}","value":1}`, status: 413, code: "too_large"},
		{name: "B14", header: jsonType, body: `[{"topic":"","value":1},{"topic":"a\r\nb","value":1},{"topic":"../a","value":1},{"topic":"a*","value":1}]`, status: 422, code: "rejected", refused: "0:bad_topic 1:bad_topic 2:bad_topic 3:bad_topic"},
		{name: "B15", header: jsonType, body: `[{"topic":"a","t":-1,"value":1},{"topic":"a","t":1,"value":1},` + one + `,{"topic":"a","t":"9999-01-01T00:00:00Z","value":1}]`, status: 422, code: "rejected", stored: []string{"a@0 value=1"}, refused: "0:bad_time 1:bad_time 3:bad_time"},
		{name: "B16", header: jsonType, body: "[" + strings.Repeat("{},", 10_000) + "{}]", status: 413, code: "too_many"},
		{name: "B16 a million", header: with("Content-Encoding", "gzip"), body: gzipOf("[" + strings.Repeat("{},", 1_000_000) + "{}]"), status: 413, code: "too_large"},
		{name: "B17 text", header: headers("Content-Type", "text/plain"), body: one, status: 415, code: "unsupported_type"},
		{name: "B17 missing", body: one, status: 415, code: "unsupported_type"},
		{name: "form", header: headers("Content-Type", "application/x-www-form-urlencoded"), body: one, status: 415, code: "unsupported_type"},
		{name: "B21 plain called gzip", header: with("Content-Encoding", "gzip"), body: one, status: 400, code: "bad_encoding"},
		{name: "B21 gzip, gzip", header: with("Content-Encoding", "gzip, gzip"), body: gzipOf(gzipOf(one)), status: 415, code: "unsupported_encoding"},
		{name: "B21 gzip twice in two lines", header: with("Content-Encoding", "gzip", "Content-Encoding", "gzip"), body: gzipOf(gzipOf(one)), status: 415, code: "unsupported_encoding"},
		{name: "B21 br", header: with("Content-Encoding", "br"), body: one, status: 415, code: "unsupported_encoding"},
		{name: "B21 deflate", header: with("Content-Encoding", "deflate"), body: one, status: 415, code: "unsupported_encoding"},
		{name: "B22", header: with("Content-Encoding", "gzip"), body: bomb, status: 413, code: "too_large"},
		{name: "B22 members", header: with("Content-Encoding", "gzip"), body: strings.Repeat(gzipOf(strings.Repeat(" ", 1<<20)), 16), status: 413, code: "too_large"},
		{name: "B23 window", header: with("Content-Encoding", "zstd"), body: "\x28\xb5\x2f\xfd\x00\xa0\x01\x00\x00", status: 413, code: "too_large"},
		{name: "too large as sent", header: jsonType, body: strings.Repeat(" ", 1<<20+1), status: 413, code: "too_large"},
		{name: "forbidden", header: jsonType, body: `[` + one + `,{"topic":"secret{x=\"1\"}","value":1}]`, status: 422, code: "rejected", stored: []string{"a@0 value=1"}, refused: "1:forbidden"},
		{name: "all forbidden", header: jsonType, body: `{"topic":"secret","value":1}`, status: 422, code: "rejected", refused: "0:forbidden"},
		{name: "described and forbidden", header: jsonType, body: `{"readings":[` + one + `],"describe":{"secret":{}}}`, status: 403, code: "forbidden"},
		{name: "wrong description", header: jsonType, body: `{"readings":[` + one + `],"describe":{"a":{"value":{"kind":"x"}}}}`, status: 422, code: "bad_describe"},
		{name: "two acks", header: with("Readout-Ack", "copied", "Readout-Ack", "copied"), body: one, status: 400, code: "bad_request"},
		{name: "unknown ack", header: with("Readout-Ack", "Copied"), body: one, status: 400, code: "bad_request"},
		{name: "time is not ignored", header: with("Readout-Time", "1"), body: one, status: 400, code: "bad_request"},
		{name: "key too long", header: with("Idempotency-Key", strings.Repeat("k", 201)), body: one, status: 400, code: "bad_request"},
		{name: "key not ASCII", header: with("Idempotency-Key", "schlüssel"), body: one, status: 400, code: "bad_request"},
		{name: "two keys", header: with("Idempotency-Key", "a", "Idempotency-Key", "b"), body: one, status: 400, code: "bad_request"},
		{name: "empty key", header: with("Idempotency-Key", ""), body: one, status: 400, code: "bad_request"},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := &recorder{}
			server := httptest.NewServer(router(push.New(store.options())))
			defer server.Close()
			status, a := post(t, server.URL+"/api/v1/readings", c.header, strings.NewReader(c.body))
			if status != c.status || a.Error.Code != c.code {
				t.Fatalf("answered %d %q (%s), want %d %q", status, a.Error.Code, a.Error.Message, c.status, c.code)
			}
			if !slices.Equal(store.readings, c.stored) || a.Stored != len(c.stored) {
				t.Errorf("stored %d, %q, answered %d; want %q", len(store.readings), store.readings[:min(5, len(store.readings))], a.Stored, c.stored[:min(5, len(c.stored))])
			}
			var refused []string
			for _, r := range a.Rejected {
				refused = append(refused, fmt.Sprintf("%d:%s", r.Index, r.Code))
				if r.Message == "" {
					t.Errorf("reading %d is refused without a word", r.Index)
				}
			}
			if got := strings.Join(refused, " "); got != c.refused {
				t.Errorf("rejected %q, want %q", got, c.refused)
			}
			wantID := ""
			if n := len(c.stored); n > 0 {
				wantID = fmt.Sprintf("%d-%d", now.UnixMilli(), n)
			}
			if a.LastID != wantID {
				t.Errorf("last_id %q, want %q", a.LastID, wantID)
			}
		})
	}
}

// B19: a body without an end is cut off at the cap.
func TestEndlessBody(t *testing.T) {
	store := &recorder{}
	server := httptest.NewServer(router(push.New(store.options())))
	defer server.Close()
	for _, path := range []string{"/api/v1/readings", "/t/a"} {
		status, a := post(t, server.URL+path, headers("Content-Type", "application/json"), endless{})
		if status != 413 || a.Error.Code != "too_large" {
			t.Errorf("%s: answered %d %q", path, status, a.Error.Code)
		}
	}
}

func TestTopic(t *testing.T) {
	for _, c := range []struct {
		name   string
		path   string
		header http.Header
		body   string
		status int
		code   string
		stored string
	}{
		{name: "number", path: "/t/orders", body: "42", status: 200, stored: "orders@0 value=42"},
		{name: "curl's form", path: "/t/orders", header: headers("Content-Type", "application/x-www-form-urlencoded"), body: "42", status: 200, stored: "orders@0 value=42"},
		{name: "pairs", path: "/t/cpu", body: "user=0.3 system=0.1", status: 200, stored: "cpu@0 user=0.3 system=0.1"},
		{name: "object", path: "/t/cpu", body: `{"user":0.3,"door":"open","on":true}`, status: 200, stored: "cpu@0 user=0.3 door=open on=true"},
		{name: "labels in the query", path: "/t/orders?shop=berlin&till=1", body: "42", status: 200, stored: `orders{shop="berlin",till="1"}@0 value=42`},
		{name: "labels in the path", path: `/t/orders%7Bshop=%22berlin%22%7D`, body: "42", status: 200, stored: `orders{shop="berlin"}@0 value=42`},
		{name: "labels in both", path: `/t/orders%7Bshop=%22berlin%22%7D?till=1`, body: "42", status: 200, stored: `orders{shop="berlin",till="1"}@0 value=42`},
		{name: "braces as curl -g sends them", path: `/t/orders{shop="berlin"}`, body: "42", status: 200, stored: `orders{shop="berlin"}@0 value=42`},
		{name: "slashes", path: "/t/house/kitchen%2Ftemperature", body: "21.5", status: 200, stored: "house/kitchen/temperature@0 value=21.5"},
		{name: "plus and per cent in a label", path: "/t/a?x=1%2B1&y=a+b&z=%25", body: "1", status: 200, stored: `a{x="1+1",y="a b",z="%"}@0 value=1`},
		{name: "a slash in a label", path: `/t/disk%7Bmount=%22%2Fvar%22%7D`, body: "1", status: 200, stored: `disk{mount="/var"}@0 value=1`},
		{name: "decoded once", path: "/t/a%257B", body: "1", status: 422, code: "bad_topic"},
		{name: "its own time", path: "/t/a", header: headers("Readout-Time", fmt.Sprint(now.UnixMilli()-1000)), body: "1", status: 200, stored: "a@-1000 value=1"},
		{name: "its own time in RFC 3339", path: "/t/a", header: headers("Readout-Time", "2026-11-22T09:59:00Z"), body: "1", status: 200, stored: "a@-60000 value=1"},
		{name: "gzip", path: "/t/a", header: headers("Content-Encoding", "gzip"), body: gzipOf("42"), status: 200, stored: "a@0 value=42"},

		{name: "B1", path: "/t/a", body: "", status: 400, code: "empty_body"},
		{name: "no topic", path: "/t/", body: "42", status: 422, code: "bad_topic"},
		{name: "B14 traversal", path: "/t/..%2Fa", body: "42", status: 422, code: "bad_topic"},
		{name: "B14 line break", path: "/t/a%0d%0ab", body: "42", status: 422, code: "bad_topic"},
		{name: "B14 NUL", path: "/t/a%00", body: "42", status: 422, code: "bad_topic"},
		{name: "B14 selector", path: "/t/a*", body: "42", status: 422, code: "bad_topic"},
		{name: "B14 too long", path: "/t/" + strings.Repeat("a", 201), body: "42", status: 422, code: "bad_topic"},
		{name: "B6", path: "/t/a?x=%ff", body: "42", status: 422, code: "bad_utf8"},
		{name: "label twice in the query", path: "/t/a?x=1&x=2", body: "42", status: 422, code: "bad_topic"},
		{name: "label in path and query", path: `/t/a%7Bx=%221%22%7D?x=1`, body: "42", status: 422, code: "bad_topic"},
		{name: "empty label", path: "/t/a?x=", body: "42", status: 422, code: "bad_topic"},
		{name: "badly escaped query", path: "/t/a?x=%zz", body: "42", status: 422, code: "bad_topic"},
		{name: "semicolon in the query", path: "/t/a?x=1;y=2", body: "42", status: 422, code: "bad_topic"},
		{name: "token in the address", path: "/t/a?token=rdo_abc_def", body: "42", status: 400, code: "bad_request"},
		{name: "forbidden", path: "/t/secret", body: "42", status: 403, code: "forbidden"},
		{name: "B10", path: "/t/a", body: "NaN", status: 422, code: "not_a_number"},
		{name: "B15", path: "/t/a", header: headers("Readout-Time", "1"), body: "42", status: 422, code: "bad_time"},
		{name: "B15 words", path: "/t/a", header: headers("Readout-Time", "yesterday"), body: "42", status: 422, code: "bad_time"},
		{name: "B21", path: "/t/a", header: headers("Content-Encoding", "gzip"), body: "42", status: 400, code: "bad_encoding"},
		{name: "B22", path: "/t/a", header: headers("Content-Encoding", "gzip"), body: bomb, status: 413, code: "too_large"},
		{name: "too large", path: "/t/a", body: strings.Repeat(" ", 1<<20+1), status: 413, code: "too_large"},
		{name: "unknown ack", path: "/t/a", header: headers("Readout-Ack", "1"), body: "42", status: 400, code: "bad_request"},
		{name: "empty ack", path: "/t/a", header: headers("Readout-Ack", ""), body: "42", status: 400, code: "bad_request"},
		{name: "two times", path: "/t/a", header: headers("Readout-Time", "1", "Readout-Time", "2"), body: "42", status: 400, code: "bad_request"},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := &recorder{}
			handler := router(push.New(store.options()))
			r := httptest.NewRequest(http.MethodPost, c.path, strings.NewReader(c.body))
			maps.Copy(r.Header, c.header)
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			var a answer
			if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
				t.Fatal(err)
			}
			if w.Code != c.status || a.Error.Code != c.code {
				t.Fatalf("answered %d %q (%s), want %d %q", w.Code, a.Error.Code, a.Error.Message, c.status, c.code)
			}
			if got := strings.Join(store.readings, "; "); got != c.stored {
				t.Errorf("stored %q, want %q", got, c.stored)
			}
			if c.status != 200 {
				return
			}
			topic, _, _ := strings.Cut(c.stored, "@")
			if a.Topic != topic || a.Stored != 1 || a.ID != fmt.Sprintf("%d-1", now.UnixMilli()) || !strings.HasPrefix(a.URL, "http://localhost:8080/t/") {
				t.Errorf("answered %+v", a)
			}
		})
	}
}
