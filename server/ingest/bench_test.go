package ingest_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"testing"

	"readout/server/ingest"
)

// batch is a body of n readings of 20 topics with three values each.
func batch(n int, open, between, end string) []byte {
	var b bytes.Buffer
	b.WriteString(open)
	for i := range n {
		if i > 0 {
			b.WriteString(between)
		}
		fmt.Fprintf(&b, `{"topic":"cpu{host=\"web%d\",zone=\"eu\"}","t":%d,"values":{"user":%.4f,"system":0.1,"state":"running"}}`,
			i%20, now.UnixMilli()-int64(i), float64(i%100)/100)
	}
	b.WriteString(end)
	return b.Bytes()
}

func BenchmarkDecode(b *testing.B) {
	for _, c := range []struct {
		name     string
		readings int
		body     []byte
		decode   func([]byte, ingest.Bounds) (ingest.Request, error)
	}{
		{"json/1", 1, batch(1, "", "", ""), ingest.JSON},
		{"json/1000", 1000, batch(1000, "[", ",", "]"), ingest.JSON},
		{"ndjson/1000", 1000, batch(1000, "", "\n", "\n"), ingest.NDJSON},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(c.body)))
			for b.Loop() {
				request, err := c.decode(c.body, bounds)
				if err != nil || len(request.Items) != c.readings {
					b.Fatal(len(request.Items), err)
				}
			}
			b.ReportMetric(float64(c.readings)*float64(b.N)/b.Elapsed().Seconds(), "readings/s")
		})
	}
}

// The dearest honest-looking body: all readings with as many names as they may have.
func BenchmarkDecodeManyNames(b *testing.B) {
	var body bytes.Buffer
	body.WriteString(`[`)
	for i := 0; body.Len() < 4<<20; i++ {
		if i > 0 {
			body.WriteByte(',')
		}
		body.WriteString(`{"topic":"a","values":{`)
		for j := range 256 {
			if j > 0 {
				body.WriteByte(',')
			}
			fmt.Fprintf(&body, `"%03d":1`, j)
		}
		body.WriteString(`}}`)
	}
	body.WriteString(`]`)
	b.SetBytes(int64(body.Len()))
	for b.Loop() {
		if _, err := ingest.JSON(body.Bytes(), bounds); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkValues(b *testing.B) {
	for _, body := range []string{`42`, `user=0.3 system=0.1`, `{"user":0.3,"door":"open","on":true}`} {
		b.Run(body, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ingest.Values([]byte(body)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkInflate(b *testing.B) {
	plain := batch(1000, "[", ",", "]")
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	_, _ = w.Write(plain)
	_ = w.Close()
	for _, c := range []struct {
		encoding string
		body     []byte
	}{{"gzip", zipped.Bytes()}, {"zstd", zstdOf(b, plain)}} {
		b.Run(c.encoding, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(plain)))
			for b.Loop() {
				if _, err := ingest.Inflate(c.encoding, c.body, 8<<20); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
