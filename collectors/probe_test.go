package collectors

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"readout/server/reading"
)

// collect collects once and returns the readings as lines, TOPIC[values], where
// times and other figures that change are ~.
func collect(t *testing.T, ctx context.Context, c Collector) []string {
	t.Helper()
	list, err := c.Collect(ctx)
	if err != nil {
		t.Fatalf("%s: %v", c.Name(), err)
	}
	var lines []string
	described := c.Describe()
	for _, r := range list {
		if err := r.Validate(time.Now(), time.Now().Add(-time.Minute)); err != nil {
			t.Errorf("%s: %v", r.Topic, err)
		}
		var parts []string
		for _, v := range r.Values {
			text := v.Value.String()
			switch v.Name {
			case "latency", "dns", "connect", "tls", "first_byte":
				text = "~"
				if n, ok := v.Value.Number(); !ok || n < 0 || n > 60_000 {
					t.Errorf("%s: %s is %v", r.Topic, v.Name, v.Value)
				}
			}
			parts = append(parts, v.Name+"="+text)
		}
		for _, v := range r.Values {
			if columns := described[r.Topic]; columns != nil && !hasColumn(columns, v.Name) {
				t.Errorf("%s: %s is not described", r.Topic, v.Name)
			}
		}
		lines = append(lines, string(r.Topic)+"["+strings.Join(parts, " ")+"]")
	}
	return lines
}

func hasColumn(columns []reading.Column, name string) bool {
	for _, c := range columns {
		if c.Name == name {
			return true
		}
	}
	return false
}

func TestProbeHTTP(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		switch q.URL.Path {
		case "/moved":
			http.Redirect(w, q, "/ok", http.StatusMovedPermanently)
		case "/broken":
			w.WriteHeader(http.StatusInternalServerError)
		case "/short":
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "less")
		case "/metadata":
			http.Redirect(w, q, "http://169.254.169.254/", http.StatusFound)
		}
	}))
	defer server.Close()
	for _, c := range []struct{ path, want string }{
		{"/ok", "[state=up latency=~ status=200 connect=~ first_byte=~]"},
		{"/moved", "[state=up latency=~ status=200 connect=~ first_byte=~]"},
		{"/broken", "[state=down latency=~ status=500 connect=~ first_byte=~ reason=status]"},
		{"/short", "[state=down status=200 connect=~ first_byte=~ reason=error]"},
		{"/metadata", "[state=down connect=~ first_byte=~ reason=not_allowed]"},
	} {
		p, err := NewProbe(server.URL+c.path, allowed(t, "127.0.0.1"))
		if err != nil {
			t.Fatal(err)
		}
		want := `probe{target="` + server.URL + c.path + `"}` + c.want
		if got := collect(t, t.Context(), p); len(got) != 1 || got[0] != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	server.Close()
	p, err := NewProbe(server.URL, allowed(t, "127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	if got := collect(t, t.Context(), p); !strings.HasSuffix(got[0], "[state=down reason=refused]") {
		t.Errorf("nobody there: %s", got)
	}
	if _, err := NewProbe(server.URL, NewGuard(nil)); !isBadTarget(err) {
		t.Errorf("a private target that nobody allowed: %v", err)
	}
}

// A certificate that nobody trusts is down, and still says how long it is valid.
func TestProbeCertificate(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	defer server.Close()
	p, err := NewProbe(server.URL, allowed(t, "127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	list, err := p.Collect(t.Context())
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	got := map[string]reading.Value{}
	for _, v := range list[0].Values {
		got[v.Name] = v.Value
	}
	want := time.Until(server.Certificate().NotAfter).Hours() / 24
	if left, ok := got["certificate_days"].Number(); !ok || left < want-0.1 || left > want+0.1 {
		t.Errorf("certificate_days is %v, want %v", got["certificate_days"], want)
	}
	if got["state"].String() != "down" || got["reason"].String() != "tls" {
		t.Errorf("%v", got)
	}

	// The same server, trusted.
	transport := p.guard.transport()
	transport.TLSClientConfig = &tls.Config{RootCAs: server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs, ServerName: "example.com"}
	response, err := p.guard.client(transport, 0).Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if left, _ := days(response.TLS.PeerCertificates[0].NotAfter).Value.Number(); left < want-0.1 {
		t.Errorf("%v days left, want %v", left, want)
	}
}

func TestProbeTCP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	target := "tcp://" + l.Addr().String()
	p, err := NewProbe(target, allowed(t, "127.0.0.0/8"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := collect(t, t.Context(), p)[0], `probe{target="`+target+`"}[state=up latency=~ connect=~]`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	_ = l.Close()
	if got := collect(t, t.Context(), p)[0]; !strings.HasSuffix(got, "[state=down reason=refused]") {
		t.Errorf("closed: %s", got)
	}
	for _, bad := range []string{"tcp://127.0.0.1", "tcp://127.0.0.1:1/path", "tcp://127.0.0.1:1?x", "udp://127.0.0.1:1"} {
		if _, err := NewProbe(bad, allowed(t, "127.0.0.1")); !isBadTarget(err) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// hostile is a target that hangs, sends without end, or leads where it must not.
func hostile(t *testing.T) *httptest.Server {
	done := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		line := []byte("a_metric{x=\"" + strings.Repeat("y", 1000) + "\"} 1\n")
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		switch q.URL.Path {
		case "/hangs":
			select {
			case <-done:
			case <-q.Context().Done():
			}
		case "/huge":
			for range 9 << 20 / len(line) {
				_, _ = w.Write(line)
			}
		case "/endless":
			for q.Context().Err() == nil {
				if _, err := w.Write(line[:20]); err != nil {
					return
				}
				_ = http.NewResponseController(w).Flush()
				select {
				case <-time.After(20 * time.Millisecond):
				case <-done:
					return
				}
			}
		case "/leads":
			http.Redirect(w, q, "http://169.254.169.254/latest/meta-data/", http.StatusFound)
		default:
			_, _ = io.WriteString(w, "good 1\n")
		}
	}))
	t.Cleanup(func() { close(done); server.Close() })
	return server
}

// F51: whatever a target does, its collection ends within its time, says why,
// and the other collectors go on.
func TestHostileTargets(t *testing.T) {
	server := hostile(t)
	g := allowed(t, "127.0.0.1")
	var list []Collector
	for _, path := range []string{"/hangs", "/huge", "/endless", "/leads"} {
		p, err := NewProbe(server.URL+path, g)
		if err != nil {
			t.Fatal(err)
		}
		s, err := NewScrape(server.URL+path, g, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, p, s)
	}
	good, err := NewScrape(server.URL+"/good", g, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range append(list, good) {
		list = append(list[:i], paced{c, 300 * time.Millisecond}) // the timeout of the Runner stays 1 s
	}
	verdicts := make(chan string, 1000)
	var goods atomic.Int64
	sink := sinkFunc(func(_ context.Context, readings []reading.Reading) error {
		for _, r := range readings {
			if r.Topic.Name() == "good" {
				goods.Add(1)
			}
			if name := r.Topic.Name(); name != "probe" && name != "scrape" {
				continue
			}
			reason := ""
			for _, v := range r.Values {
				if v.Name == "reason" {
					reason = v.Value.String()
				}
			}
			target := r.Topic.Labels()[0].Value
			verdicts <- r.Topic.Name() + target[strings.LastIndexByte(target, '/'):] + "=" + reason
		}
		return nil
	})
	runner, err := NewRunner(list, sink, RunnerOptions{Host: "web1", Log: slog.New(slog.DiscardHandler), Jitter: func(time.Duration) time.Duration { return 0 }})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{
		"probe/hangs=timeout": true, "scrape/hangs=timeout": true,
		"probe/huge=too_large": true, "scrape/huge=too_large": true,
		"probe/endless=timeout": true, "scrape/endless=timeout": true,
		"probe/leads=not_allowed": true, "scrape/leads=status": true,
		"scrape/good=": true,
	}
	begin := time.Now()
	runner.Start(t.Context())
	seen := map[string]int{}
	for len(seen) < len(want) || seen["scrape/good="] < 3 {
		select {
		case v := <-verdicts:
			if !want[v] {
				t.Errorf("a verdict is %s", v)
				return
			}
			seen[v]++
		case <-time.After(15 * time.Second):
			t.Fatalf("after %v: only %v", time.Since(begin), seen)
		}
	}
	runner.Stop()
	for _, s := range runner.Stats() {
		if s.Panics > 0 {
			t.Errorf("%+v: a collector panicked", s)
		}
	}
	if goods.Load() < 3 {
		t.Errorf("the good target was scraped %d times beside the others", goods.Load())
	}
}

type sinkFunc func(context.Context, []reading.Reading) error

func (f sinkFunc) Append(ctx context.Context, readings []reading.Reading) error {
	return f(ctx, readings)
}

func TestReasonOf(t *testing.T) {
	for want, err := range map[string]error{
		"timeout":     context.DeadlineExceeded,
		"too_large":   errTooLarge,
		"not_allowed": NewGuard(nil).control(t.Context(), "tcp4", "127.0.0.1:1", nil),
		"dns":         &net.DNSError{IsNotFound: true},
		"error":       errors.New("x"),
	} {
		if got := reasonOf(err); got != want {
			t.Errorf("%v is %s, want %s", err, got, want)
		}
	}
}
