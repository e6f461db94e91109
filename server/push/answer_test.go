package push_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"readout/server/problem"
	"readout/server/push"
	"readout/server/reading"
)

// serve answers one request in memory.
func serve(t *testing.T, options push.Options, path string, header http.Header, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body))
	r.Header = header
	w := httptest.NewRecorder()
	router(push.New(options)).ServeHTTP(w, r)
	return w
}

func TestAnswerForPeople(t *testing.T) {
	people := "orders{shop=\"berlin\"} 42 -> http://localhost:8080/t/orders\n"
	for _, c := range []struct {
		name   string
		header http.Header
		line   bool
	}{
		{"curl", headers("User-Agent", "curl/8.5.0", "Accept", "*/*"), true},
		{"Wget", headers("User-Agent", "Wget/1.21", "Accept", "*/*"), true},
		{"HTTPie without Accept", headers("User-Agent", "HTTPie/3.2.2"), true},
		{"curl that asks for JSON", headers("User-Agent", "curl/8.5.0", "Accept", "application/json"), false},
		{"HTTPie with a body of JSON", headers("User-Agent", "HTTPie/3.2.2", "Accept", "application/json, */*;q=0.5"), false},
		{"a program", headers("User-Agent", "python-requests/2.31", "Accept", "*/*"), false},
		{"no agent", headers(), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := &recorder{}
			w := serve(t, store.options(), "/t/orders?shop=berlin", c.header, "42")
			if w.Code != 200 {
				t.Fatalf("status %d: %s", w.Code, w.Body)
			}
			kind, body := "application/json", `{"topic":"orders{shop=\"berlin\"}","id":"1795341600000-1","stored":1,"url":"http://localhost:8080/t/orders"}`+"\n"
			if c.line {
				kind, body = "text/plain; charset=utf-8", people
			}
			if w.Header().Get("Content-Type") != kind || w.Body.String() != body {
				t.Errorf("%s: %s\nwant %s: %s", w.Header().Get("Content-Type"), w.Body, kind, body)
			}
		})
	}
	w := serve(t, (&recorder{}).options(), "/t/cpu", headers("User-Agent", "curl/8"), `user=0.3 door="wide open"`)
	if got, want := w.Body.String(), "cpu user=0.3 door=wide open -> http://localhost:8080/t/cpu\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAnswerOfManyReadings(t *testing.T) {
	store := &recorder{}
	w := serve(t, store.options(), "/api/v1/readings", headers("Content-Type", "application/json"), `[{"topic":"a","value":1},{"topic":"\u0007","value":1}]`)
	want := `{"stored":1,"last_id":"1795341600000-1","rejected":[{"index":1,"code":"bad_topic","message":"the topic's name \"\\a\" holds '\\a'; allowed are A-Z a-z 0-9 _ . : / -"}],` +
		`"error":{"code":"rejected","message":"1 of 2 readings were refused; the others are stored"}}` + "\n"
	if w.Code != 422 || w.Body.String() != want {
		t.Errorf("%d %s\nwant 422 %s", w.Code, w.Body, want)
	}
	w = serve(t, store.options(), "/api/v1/readings", headers("Content-Type", "application/json"), `[]`)
	if w.Code != 200 || w.Body.String() != "{\"stored\":0}\n" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// Who asks for no more than that it went well gets that, and refusals are told as ever.
func TestPreferMinimal(t *testing.T) {
	const one, many = `{"topic":"a","value":1}`, `[{"topic":"a","value":1},{"topic":"","value":1}]`
	for _, c := range []struct {
		prefer     string
		path, body string
		status     int
	}{
		{"return=minimal", "/t/a", "1", 204},
		{"respond-async, Return = \"minimal\"; x=1", "/t/a", "1", 204},
		{"return=minimal", "/api/v1/readings", one, 204},
		{"return=minimal", "/api/v1/readings", many, 422},
		{"return=minimal", "/t/a", "NaN", 422},
		{"return=representation", "/t/a", "1", 200},
		{"return=representation, return=minimal", "/t/a", "1", 200}, // the first counts
		{"minimal", "/t/a", "1", 200},
		{"returns=minimal", "/t/a", "1", 200},
		{"", "/t/a", "1", 200},
	} {
		store := &recorder{}
		w := serve(t, store.options(), c.path, headers("Content-Type", "application/json", "Prefer", c.prefer, "User-Agent", "curl/8"), c.body)
		if w.Code != c.status || (w.Body.Len() == 0) != (c.status == 204) {
			t.Errorf("%q to %s: %d %q, want %d", c.prefer, c.path, w.Code, w.Body, c.status)
		}
		if stored := len(store.readings) > 0; stored != (c.body != "NaN") {
			t.Errorf("%q: stored %v", c.body, stored)
		}
		if w.Code == 204 && len(w.Header()) != 0 {
			t.Errorf("an answer without a body has headers: %v", w.Header())
		}
	}
}

func TestDescriptionsReachTheStore(t *testing.T) {
	store := &recorder{}
	w := serve(t, store.options(), "/api/v1/readings", headers("Content-Type", "application/json"),
		`{"describe":{"cpu":{"user":{"unit":"percent","kind":"gauge"},"n":{"kind":"counter"}}},"readings":[]}`)
	want := []string{"cpu user percent gauge", "cpu n  counter"} // in the order of the request
	if w.Code != 200 || !slices.Equal(store.described, want) || len(store.readings) != 0 {
		t.Errorf("%d %s, described %q, want %q", w.Code, w.Body, store.described, want)
	}
}

// Nothing is answered as stored when the store did not say so.
func TestStoreErrors(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
		code   string
	}{
		{problem.New("store_unavailable", "the store does not answer"), 503, "store_unavailable"},
		{&problem.Error{Code: "storage_full", Message: "full", Cause: errors.New("OOM")}, 503, "storage_full"},
		{problem.New("idempotency_conflict", "another body"), 422, "idempotency_conflict"},
		{errors.New("a mistake of ours"), 500, "internal"},
	} {
		store := &recorder{fail: c.err}
		for path, body := range map[string]string{"/t/a": "1", "/api/v1/readings": `[{"topic":"a","value":1},{"topic":"","value":1}]`} {
			w := serve(t, store.options(), path, headers("Content-Type", "application/json"), body)
			if w.Code != c.status || !strings.Contains(w.Body.String(), `"code":"`+c.code+`"`) || strings.Contains(w.Body.String(), "stored") {
				t.Errorf("%s: %d %s, want %d %s", path, w.Code, w.Body, c.status, c.code)
			}
		}
	}
}

// Who may not push a topic is refused before a byte of the body is read.
func TestAccessComesFirst(t *testing.T) {
	unread := func(options push.Options, path string) int {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, failing{t})
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		router(push.New(options)).ServeHTTP(w, r)
		return w.Code
	}
	options := (&recorder{}).options()
	if status := unread(options, "/t/secret"); status != 403 {
		t.Errorf("status %d, want 403", status)
	}
}

// failing is a body that must not be read.
type failing struct{ t *testing.T }

func (f failing) Read([]byte) (int, error) {
	f.t.Error("the body is read")
	return 0, errors.New("not to be read")
}

// A token that ends while its readings are decoded is not a matter of one reading.
func TestUnauthorizedTopicRefusesTheRequest(t *testing.T) {
	store := &recorder{}
	options := store.options()
	options.Can = func(*http.Request, reading.Topic) error { return problem.New("unauthorized", "expired") }
	w := serve(t, options, "/api/v1/readings", headers("Content-Type", "application/json"), `{"topic":"a","value":1}`)
	if w.Code != 401 {
		t.Errorf("status %d, want 401: %s", w.Code, w.Body)
	}
}

// Can is asked once for each topic of a request.
func TestCanIsAskedOncePerTopic(t *testing.T) {
	asked := map[reading.Topic]int{}
	options := (&recorder{}).options()
	options.Can = func(_ *http.Request, topic reading.Topic) error {
		asked[topic]++
		return nil
	}
	body := "[" + strings.Repeat(`{"topic":"a","value":1},{"topic":"b{}","value":1},`, 100) + `{"topic":"b","value":1}]`
	if w := serve(t, options, "/api/v1/readings", headers("Content-Type", "application/json"), body); w.Code != 200 {
		t.Fatal(w.Body)
	}
	if len(asked) != 2 || asked["a"] != 1 || asked["b"] != 1 {
		t.Errorf("asked %v", asked)
	}
}

func TestOnce(t *testing.T) {
	store := &recorder{}
	send := func(path, key, body string, more ...string) push.Once {
		t.Helper()
		h := headers(append([]string{"Content-Type", "application/json"}, more...)...)
		if key != "" {
			h.Set("Idempotency-Key", key)
		}
		if w := serve(t, store.options(), path, h, body); w.Code != 200 {
			t.Fatal(w.Code, w.Body)
		}
		return store.onces[len(store.onces)-1]
	}
	many := "/api/v1/readings"
	first := send(many, "k", `{"topic":"a","value":1}`)
	if first.Token != "sender" || first.Key != "k" || first.Body == [32]byte{} {
		t.Errorf("got %+v", first)
	}
	if again := send(many, "k", `{"topic":"a","value":1}`); again != first {
		t.Error("a retry is not the same request")
	}
	if packed := send(many, "k", gzipOf(`{"topic":"a","value":1}`), "Content-Encoding", "gzip"); packed != first {
		t.Error("a retry with another compression is not the same request")
	}
	if none := send(many, "", `{"topic":"a","value":1}`); none != (push.Once{}) {
		t.Errorf("without a key: %+v", none)
	}
	seen := map[[32]byte]string{first.Body: "first"}
	for _, c := range []struct{ path, body, at string }{
		{many, `{"topic":"a","value":2}`, ""},
		{"/t/a", "1", ""},
		{"/t/a", "2", ""},
		{"/t/b", "1", ""},
		{"/t/a?x=1", "1", ""},
		{"/t/a", "1", fmt.Sprint(now.UnixMilli())},
	} {
		var more []string
		if c.at != "" {
			more = []string{"Readout-Time", c.at}
		}
		body := send(c.path, "k", c.body, more...).Body
		if other, twice := seen[body]; twice {
			t.Errorf("%+v has the hash of %s", c, other)
		}
		seen[body] = fmt.Sprint(c)
	}
}

// The context of the request reaches the store.
func TestContextReachesTheStore(t *testing.T) {
	type key struct{}
	options := (&recorder{}).options()
	options.Append = func(ctx context.Context, _ []reading.Reading, _ push.Once, _ push.Ack) ([]reading.StreamID, error) {
		if ctx.Value(key{}) != "here" {
			t.Error("another context")
		}
		return nil, nil
	}
	r := httptest.NewRequestWithContext(context.WithValue(t.Context(), key{}, "here"), http.MethodPost, "/t/a", strings.NewReader("1"))
	router(push.New(options)).ServeHTTP(httptest.NewRecorder(), r)
}
