package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"readout/server/ingest"
)

// takes is a server that decodes pushes as the real one does and answers them.
type takes struct {
	mu     sync.Mutex
	lines  []string // "path: values", or topic: values
	keys   []string
	before func(w http.ResponseWriter, q *http.Request, n int) bool
	got    chan struct{} // has a value for each request
}

func (s *takes) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() { s.got <- struct{}{} }()
	n := len(s.keys)
	s.keys = append(s.keys, q.Header.Get("Idempotency-Key"))
	if s.before != nil && s.before(w, q, n) {
		return
	}
	sent, _ := io.ReadAll(q.Body)
	body, err := ingest.Inflate(q.Header.Get("Content-Encoding"), sent, 8<<20)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if strings.HasPrefix(q.URL.Path, "/t/") {
		values, err := ingest.Values(body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprintf(w, `{"error":{"code":"bad_body","message":%q}}`, err)
			return
		}
		line := q.URL.Path + ":"
		for _, v := range values {
			line += " " + v.Name + "=" + v.Value.String()
		}
		s.lines = append(s.lines, line)
		_, _ = fmt.Fprintf(w, "{\"stored\":1,\"accept\":%q,\"ack\":%q}\n", q.Header.Get("Accept"), q.Header.Get("Readout-Ack"))
		return
	}
	decode := ingest.JSON
	if q.Header.Get("Content-Type") == "application/x-ndjson" {
		decode = ingest.NDJSON
	}
	request, err := decode(body, ingest.Bounds{Now: time.Now()})
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprintf(w, `{"error":{"code":"bad_json","message":%q}}`, err)
		return
	}
	stored, rejected := 0, []string{}
	for _, item := range request.Items {
		if item.Err != nil {
			rejected = append(rejected, fmt.Sprintf(`{"index":%d,"code":"bad","message":%q}`, item.Index, item.Err))
			continue
		}
		stored++
		s.lines = append(s.lines, string(item.Reading.Topic))
	}
	for _, d := range request.Describe {
		s.lines = append(s.lines, fmt.Sprintf("describe %s %d", d.Topic, len(d.Columns)))
	}
	if len(rejected) > 0 {
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = fmt.Fprintf(w, `{"stored":%d,"rejected":[%s]}`, stored, strings.Join(rejected, ","))
		return
	}
	_, _ = fmt.Fprintf(w, `{"stored":%d}`, stored)
}

// serveTakes starts the server and makes it the one that commands talk to.
func serveTakes(t *testing.T) *takes {
	t.Helper()
	s := &takes{got: make(chan struct{}, 10_000)}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	t.Setenv("READOUT_URL", server.URL)
	t.Setenv("READOUT_TOKEN", "")
	return s
}

func (s *takes) want(t *testing.T, lines ...string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if got, want := strings.Join(s.lines, "\n"), strings.Join(lines, "\n"); got != want {
		t.Errorf("the server took\n%s\nwant\n%s", got, want)
	}
}

func pushes(t *testing.T, input string, args ...string) (code int, out, complaint string) {
	t.Helper()
	var o, c strings.Builder
	code = runPush(t.Context(), args, strings.NewReader(input), &o, &c)
	return code, o.String(), c.String()
}

func TestPushValues(t *testing.T) {
	s := serveTakes(t)
	for _, args := range [][]string{
		{"orders", "42"},
		{"cpu{host=\"a\"}", "user=0.3", "system=0.1"},
		{"temp", "-5"},
		{"door", `{"state":"wide open"}`, "--json"},
		{"orders", "43", "--ack", "synced"},
	} {
		code, out, complaint := pushes(t, "", args...)
		accept, ack := "", ""
		switch last := args[len(args)-1]; last {
		case "--json":
			accept = "application/json"
		case "synced":
			ack = last
		}
		if want := fmt.Sprintf("{\"stored\":1,\"accept\":%q,\"ack\":%q}\n", accept, ack); code != 0 || out != want || complaint != "" {
			t.Errorf("push %q: code %d, stdout %q, want %q; stderr %q", args, code, out, want, complaint)
		}
	}
	s.want(t, "/t/orders: value=42", `/t/cpu{host="a"}: user=0.3 system=0.1`, "/t/temp: value=-5", "/t/door: state=wide open", "/t/orders: value=43")
}

func TestPushRefused(t *testing.T) {
	s := serveTakes(t)
	t.Setenv("READOUT_TOKEN", "rdo_env")
	s.before = func(w http.ResponseWriter, q *http.Request, n int) bool {
		w.Header().Set("Location", "/elsewhere")
		status := []int{401, 403, 307, 503, 400}[n]
		if want := []string{"rdo_env", "rdo_flag", "rdo_env", "rdo_env", "rdo_env"}[n]; q.Header.Get("Authorization") != "Bearer "+want {
			t.Errorf("request %d: Authorization %q, want %s", n, q.Header.Get("Authorization"), want)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `{"error":{"code":"some_code","message":"some reason"}}`)
		return true
	}
	for i, want := range []string{
		"answered 401 some_code: some reason. Give another token",
		"answered 403 some_code: some reason. Give another token",
		"answered 307 some_code: some reason. Is http://127.0.0.1",
		"answered 503 some_code: some reason\n", // no retry unless asked for
		"answered 400 some_code: some reason\n",
	} {
		args := []string{"orders", "42"}
		if i == 1 {
			args = append(args, "--token", "rdo_flag")
		}
		if code, out, complaint := pushes(t, "", args...); code != 1 || out != "" || !strings.Contains(complaint, want) {
			t.Errorf("code %d, stdout %q, stderr %q, want %q", code, out, complaint, want)
		}
	}
}

func TestPushRetriesUnderOneKey(t *testing.T) {
	s := serveTakes(t)
	s.before = func(w http.ResponseWriter, _ *http.Request, n int) bool {
		switch n {
		case 0:
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		case 1:
			panic(http.ErrAbortHandler)
		}
		return false
	}
	code, out, complaint := pushes(t, "", "orders", "42", "--retry", "1m")
	if code != 0 || !strings.Contains(out, `"stored":1`) || strings.Count(complaint, "trying again for 1m0s") != 1 {
		t.Errorf("code %d, stdout %q, stderr %q", code, out, complaint)
	}
	s.want(t, "/t/orders: value=42")
	if len(s.keys) != 3 || s.keys[0] != s.keys[1] || s.keys[1] != s.keys[2] || s.keys[0] == "" {
		t.Errorf("keys %q, want one key three times", s.keys)
	}
	if code, _, complaint = pushes(t, "", "orders", "43"); code != 0 || s.keys[3] == s.keys[0] {
		t.Errorf("code %d, stderr %q, key %q: want another key", code, complaint, s.keys[3])
	}
}

func TestPushLinesOfInput(t *testing.T) {
	s := serveTakes(t)
	code, out, complaint := pushes(t, "1\n\n  user=2 system=3\r\n{broken\nopen", "orders", "-", "--retry", "0s")
	s.want(t, "/t/orders: value=1", "/t/orders: user=2 system=3", "/t/orders: value=open")
	if code != 1 || strings.Count(out, `"stored":1`) != 3 || strings.Count(complaint, "\n") != 1 || !strings.Contains(complaint, "line 4: the server answered 400 bad_body") {
		t.Errorf("code %d, stdout %q, stderr %q", code, out, complaint)
	}
	code, _, complaint = pushes(t, "7\n"+strings.Repeat("x", 2<<20)+"\n8\n", "orders", "-")
	if code != 1 || !strings.Contains(complaint, "line 2: it is longer than") {
		t.Errorf("a line of 2 MiB: code %d, stderr %.200q", code, complaint)
	}
}

func TestPushNDJSON(t *testing.T) {
	s := serveTakes(t)
	input := `{"topic":"a","value":1}` + "\n\n" + `{"topic":"b{","value":2}` + "\n" + `{"topic":"c","value":"x","t":5}` + "\n" + `{"topic":"d"}`
	code, out, complaint := pushes(t, input, "--ndjson")
	s.want(t, "a", "c")
	if code != 1 || !strings.Contains(out, `"stored":2`) || strings.Count(complaint, "\n") != 2 ||
		!strings.Contains(complaint, "line 3: bad: ") || !strings.Contains(complaint, "line 5: bad: ") {
		t.Errorf("code %d, stdout %q, stderr %q", code, out, complaint)
	}
}

// 2,500 lines go in requests of at most 1,000; each is answered on a line of its
// own. A busy machine may make them more than three, since no line waits long.
func TestPushNDJSONInBatches(t *testing.T) {
	s := serveTakes(t)
	code, out, complaint := pushes(t, strings.Repeat(`{"topic":"a","value":1}`+"\n", 2500), "--ndjson")
	stored := 0
	for answer := range strings.Lines(out) {
		var n int
		if _, err := fmt.Sscanf(answer, `{"stored":%d}`, &n); err != nil || n < 1 || n > 1000 {
			t.Errorf("answer %q: %v", answer, err)
		}
		stored += n
	}
	if code != 0 || stored != 2500 || complaint != "" {
		t.Errorf("code %d, %d stored, stdout %q, stderr %q", code, stored, out, complaint)
	}
	if len(s.lines) != 2500 {
		t.Errorf("%d readings arrived", len(s.lines))
	}
}

// A line of a stream that stays open is sent while the next one is still to come.
func TestPushNDJSONDoesNotWaitForTheEnd(t *testing.T) {
	s := serveTakes(t)
	input, write := io.Pipe()
	answers, out := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan int)
	go func() { ended <- runPush(ctx, []string{"--ndjson"}, input, out, io.Discard) }()
	answer := bufio.NewScanner(answers)
	for range 2 {
		if _, err := io.WriteString(write, `{"topic":"a","value":1}`+"\n"); err != nil {
			t.Fatal(err)
		}
		if !answer.Scan() || answer.Text() != `{"stored":1}` {
			t.Fatalf("answer %q, %v", answer.Text(), answer.Err())
		}
	}
	s.want(t, "a", "a")
	cancel()
	if code := <-ended; code != 0 {
		t.Errorf("interrupted with nothing waiting: code %d", code)
	}
	_ = write.Close()
}

// The whole of readout collect on this machine, against a real server.
func TestCollect(t *testing.T) {
	s := serveTakes(t)
	s.before = func(_ http.ResponseWriter, q *http.Request, _ int) bool {
		if q.URL.Path != "/api/v1/readings" || q.Header.Get("Content-Encoding") != "gzip" || q.Header.Get("Authorization") != "Bearer rdo_x" {
			t.Errorf("%s %v", q.URL, q.Header)
		}
		return false
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out, complaint strings.Builder
	ended := make(chan int)
	go func() {
		ended <- runCollect(ctx, []string{"--collect", "host", "--interval", "100ms", "--token", "rdo_x"}, nil, &out, &complaint)
	}()
	missing := []string{"cpu{host=", "memory{host=", `readout_collector{collector="cpu",host=`, `readout_collector{collector="memory",host=`, "describe cpu{", "describe memory{", "describe readout_collector{"}
	for len(missing) > 0 {
		<-s.got
		s.mu.Lock()
		lines := s.lines
		s.mu.Unlock()
		var still []string
		for _, m := range missing {
			seen := false
			for _, line := range lines {
				seen = seen || strings.HasPrefix(line, m)
			}
			if !seen {
				still = append(still, m)
			}
		}
		missing = still
	}
	cancel()
	if code := <-ended; code != 0 || !strings.HasPrefix(out.String(), "Collecting cpu, cores, load, memory, ") || strings.Count(out.String(), "\n") != 1 || complaint.Len() > 0 {
		t.Errorf("code %d, stdout %q, stderr %q", code, out.String(), complaint.String())
	}
}
