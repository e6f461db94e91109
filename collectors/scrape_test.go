package collectors

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"google.golang.org/protobuf/encoding/protowire"

	"readout/server/reading"
)

const promText = `# HELP http_requests_total Requests.
# TYPE http_requests_total counter
http_requests_total{method="get",code="200"} 1027 1395066363000
http_requests_total{method="get",code="500"} 3
# TYPE queue_bytes gauge
queue_bytes{name="mail",empty=""} 12.5
free 7
no_number NaN
too_much +Inf
# TYPE rpc_seconds summary
rpc_seconds{quantile="0.5"} 0.2
rpc_seconds{quantile="0.99"} NaN
rpc_seconds_sum 17.5
rpc_seconds_count 100
# TYPE few_bytes histogram
few_bytes_bucket{le="10"} 1
few_bytes_bucket{le="+Inf"} 3
few_bytes_sum 42
few_bytes_count 3
# TYPE many_seconds histogram
many_seconds_bucket{le="0.1"} 1
many_seconds_bucket{le="0.2"} 1
many_seconds_bucket{le="0.3"} 1
many_seconds_bucket{le="0.4"} 1
many_seconds_bucket{le="0.5"} 1
many_seconds_bucket{le="+Inf"} 2
many_seconds_sum 1.5
many_seconds_count 2
federated{instance="other:1"} 1
federated{instance="other:1"} 2
bad_label{text="a\nb"} 1
process_start_time_seconds 1.7e9
`

func scrapeOf(t *testing.T, handler http.Handler) (*Scrape, string) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	s, err := NewScrape(server.URL+"/metrics", allowed(t, "127.0.0.1"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return s, strings.TrimPrefix(server.URL, "http://")
}

func TestScrapeText(t *testing.T) {
	s, instance := scrapeOf(t, http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if !strings.HasPrefix(q.Header.Get("Accept"), "application/vnd.google.protobuf") {
			t.Errorf("it asks for %q", q.Header.Get("Accept"))
		}
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = io.WriteString(z, promText)
		_ = z.Close()
	}))
	got := strings.ReplaceAll(strings.Join(collect(t, t.Context(), s), "\n"), instance, "I")
	want := `federated{exported_instance="other:1",instance="I"}[value=1]
few_bytes_sum{instance="I"}[value=42]
few_bytes_count{instance="I"}[value=3]
few_bytes_bucket{instance="I",le="10"}[value=1]
few_bytes_bucket{instance="I",le="+Inf"}[value=3]
free{instance="I"}[value=7]
http_requests_total{code="200",instance="I",method="get"}[value=1027]
http_requests_total{code="500",instance="I",method="get"}[value=3]
many_seconds_sum{instance="I"}[value=1.5]
many_seconds_count{instance="I"}[value=2]
process_start_time_seconds{instance="I"}[value=1700000000]
queue_bytes{instance="I",name="mail"}[value=12.5]
rpc_seconds_sum{instance="I"}[value=17.5]
rpc_seconds_count{instance="I"}[value=100]
rpc_seconds{instance="I",quantile="0.5"}[value=0.2]
scrape{target="http://I/metrics"}[state=up latency=~ series=15 skipped=5]`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	described := s.Describe()
	for topic, want := range map[string]reading.Column{
		`http_requests_total{code="200",instance="I",method="get"}`: {Name: "value", Kind: reading.Counter},
		`queue_bytes{instance="I",name="mail"}`:                     {Name: "value", Unit: "bytes", Kind: reading.Gauge},
		`free{instance="I"}`:                                        {Name: "value", Kind: reading.Gauge},
		`rpc_seconds_sum{instance="I"}`:                             {Name: "value", Unit: "s", Kind: reading.Counter},
		`rpc_seconds_count{instance="I"}`:                           {Name: "value", Kind: reading.Counter},
		`rpc_seconds{instance="I",quantile="0.5"}`:                  {Name: "value", Unit: "s", Kind: reading.Gauge},
		`few_bytes_bucket{instance="I",le="10"}`:                    {Name: "value", Kind: reading.Counter},
		`process_start_time_seconds{instance="I"}`:                  {Name: "value", Kind: reading.Gauge},
	} {
		columns := described[reading.Topic(strings.ReplaceAll(topic, `"I"`, `"`+instance+`"`))]
		if len(columns) != 1 || columns[0] != want {
			t.Errorf("%s is described as %+v, want %+v", topic, columns, want)
		}
	}
}

// The library of Prometheus itself serves protobuf, with a native histogram.
func TestScrapeProtobuf(t *testing.T) {
	registry := prometheus.NewRegistry()
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "requests_total", Help: "x"}, []string{"code"})
	requests.WithLabelValues("200").Add(5)
	took := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "took_seconds", Help: "x", NativeHistogramBucketFactor: 1.1})
	took.Observe(2)
	took.Observe(3)
	registry.MustRegister(requests, took)
	kind := ""
	handler := promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	s, instance := scrapeOf(t, http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		handler.ServeHTTP(w, q)
		kind = w.Header().Get("Content-Type")
	}))
	got := strings.ReplaceAll(strings.Join(collect(t, t.Context(), s), "\n"), instance, "I")
	want := `requests_total{code="200",instance="I"}[value=5]
took_seconds_sum{instance="I"}[value=5]
took_seconds_count{instance="I"}[value=2]
scrape{target="http://I/metrics"}[state=up latency=~ series=3 skipped=0]`
	if got != want || !strings.HasPrefix(kind, "application/vnd.google.protobuf") {
		t.Errorf("as %s got\n%s\nwant\n%s", kind, got, want)
	}
}

// What a target says wrongly is a state, one line in the log without a word of
// the answer, and over when it is over.
func TestScrapeFailures(t *testing.T) {
	const secret = "s3cret"
	varint := func(n uint64) string { return string(protowire.AppendVarint(nil, n)) }
	for _, c := range []struct {
		name, kind, body string
		status           int
		reason, says     string
	}{
		{"status", "text/plain", secret, 500, "status", "it answers 500"},
		{"redirect", "text/plain", secret, 302, "status", "give the address that answers itself"},
		{"page", "text/html; charset=utf-8", "<html>" + secret, 200, "format", "is the path right?"},
		{"not text", "text/plain", "good 1\n" + secret + " is not a number\n", 200, "format", "line 2 is not Prometheus text"},
		{"cut off", "text/plain", "good 1\nhalf{a=\"" + secret, 200, "format", "is not Prometheus text"},
		{"protobuf", "application/vnd.google.protobuf; encoding=delimited", secret, 200, "format", "its protobuf is cut off"},
		{"bomb", "application/vnd.google.protobuf", varint(1<<40) + secret, 200, "format", "its protobuf is cut off"},
		{"no protobuf", "application/vnd.google.protobuf", varint(6) + secret, 200, "format", "it is not the protobuf of Prometheus"},
		{"text protobuf", "application/vnd.google.protobuf; encoding=text", secret, 200, "format", "nobody asked for"},
		{"many fields", "application/vnd.google.protobuf", manyMetrics(1_000_001), 200, "format", "more than 1000000 fields"},
		{"many lines", "text/plain", strings.Repeat("a 1\n", maxLines+1), 200, "format", "at most 200000 are read"},
		{"many labels", "text/plain", "a 1\nb{" + manyLabels(20_000) + "} 1\n", 200, "format", "line 2 of its figures has 20000 labels"},
		{"many lines of many labels", "text/plain", strings.Repeat("b{"+manyLabels(60)+"} 1\n", 6000), 200, "format", "too many labels"},
		{"much", "text/plain", strings.Repeat("# "+strings.Repeat("x", 1022)+"\n", 9<<10), 200, "too_large", "larger than 8 MiB"},
		{"much inflated", "text/plain", "gzip", 200, "too_large", "larger than 8 MiB"},
	} {
		t.Run(c.name, func(t *testing.T) {
			book, good := &logBook{}, false
			s, _ := scrapeOf(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if good {
					_, _ = io.WriteString(w, "good 1\n")
					return
				}
				w.Header().Set("Content-Type", c.kind)
				w.Header().Set("Location", "/elsewhere")
				body := c.body
				if body == "gzip" {
					var b bytes.Buffer
					z := gzip.NewWriter(&b)
					_, _ = z.Write(bytes.Repeat([]byte("#\n"), 5<<20))
					_ = z.Close()
					body = b.String()
					w.Header().Set("Content-Encoding", "gzip")
				}
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, body)
			}))
			s.log = book.logger()
			for range 3 {
				got := collect(t, t.Context(), s)
				if want := "[state=down reason=" + c.reason + "]"; len(got) != 1 || !strings.HasSuffix(got[0], want) {
					t.Fatalf("got %q, want %s", got, want)
				}
			}
			good = true
			if got := collect(t, t.Context(), s); len(got) != 2 {
				t.Errorf("afterwards: %q", got)
			}
			lines := book.lines()
			if len(lines) != 2 || !strings.Contains(lines[0], c.says) || strings.Contains(lines[0], secret) || !strings.Contains(lines[1], "can scrape again") {
				t.Errorf("log %q, want one line with %q and one for the end", lines, c.says)
			}
		})
	}
}

// manyLabels are so many labels of a line of text.
func manyLabels(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `a%d="",`, i)
	}
	return b.String()
}

// manyMetrics is a family of so many empty metrics.
func manyMetrics(n int) string {
	family := bytes.Repeat(protowire.AppendBytes(protowire.AppendTag(nil, 4, protowire.BytesType), nil), n)
	return string(protowire.AppendVarint(nil, uint64(len(family)))) + string(family)
}

// More series than that do not come in, and the rest is not lost for it.
func TestScrapeBoundsSeries(t *testing.T) {
	s, _ := scrapeOf(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for i := range maxSeries + 50 {
			_, _ = fmt.Fprintf(w, "many{i=\"%d\"} %d\n", i, i)
		}
	}))
	got := collect(t, t.Context(), s)
	if len(got) != maxSeries+1 || !strings.HasSuffix(got[maxSeries], "series=10000 skipped=50]") {
		t.Errorf("%d readings, the last %s", len(got), got[len(got)-1])
	}
}

// FuzzScrape: whatever a target answers, nothing but valid readings comes of it.
func FuzzScrape(f *testing.F) {
	f.Add(true, []byte(promText))
	f.Add(false, []byte(manyMetrics(3)))
	f.Add(true, []byte(`{"a.b",x="y"} 1`))
	f.Fuzz(func(t *testing.T, text bool, body []byte) {
		set := &seriesSet{instance: "a:1", seen: map[reading.Topic]bool{}, described: Description{}}
		kind := "application/vnd.google.protobuf"
		if text {
			kind = "text/plain"
		}
		if err := set.read(kind, body); err != nil && len(err.Error()) > 200 {
			t.Fatalf("an error of %d bytes", len(err.Error()))
		}
		if len(set.readings) > maxSeries || len(set.readings) != len(set.seen) {
			t.Fatalf("%d readings of %d topics", len(set.readings), len(set.seen))
		}
		for _, r := range set.readings {
			if again, err := reading.ParseTopic(string(r.Topic)); err != nil || again != r.Topic {
				t.Fatalf("the topic %s: %v", r.Topic, err)
			}
			if err := reading.ValidateValues(r.Values); err != nil {
				t.Fatal(err)
			}
			if err := set.described[r.Topic][0].Validate(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
