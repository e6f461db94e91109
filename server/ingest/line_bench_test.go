package ingest_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"readout/server/ingest"
)

// lines is a body of n lines of line protocol: so many series with four fields each.
func lines(n, series int) []byte {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, "cpu,host=web%d,mode=user,zone=eu-central busy=%.4f,cores=8i,on=true,system=0.1 %d\n",
			i%series, float64(i%100)/100, now.Add(-time.Duration(i)*time.Millisecond).UnixNano())
	}
	return b.Bytes()
}

func BenchmarkLines(b *testing.B) {
	for _, c := range []struct {
		name  string
		lines int
		body  []byte
	}{
		{"1", 1, lines(1, 1)},
		{"1 with a text", 1, []byte(`door,room=lab state="open",count=3i`)},
		{"5000 of 100 series", 5000, lines(5000, 100)},
		{"5000 of 1 series", 5000, lines(5000, 1)},
		{"5000 of 5000 series", 5000, lines(5000, 5000)},
		{"5000 with a text", 5000, bytes.Repeat([]byte("door,room=lab state=\"open\",count=3i\n"), 5000)},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(c.body)))
			for b.Loop() {
				request, err := decoder.Decode(c.body, time.Nanosecond, bounds)
				if err != nil || len(request.Items) != c.lines || request.Items[0].Err != nil {
					b.Fatal(len(request.Items), err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(c.lines)/float64(b.N), "ns/line")
		})
	}
}

// The dearest honest-looking bodies: everything wrong with each line that the
// library takes for wrong syntax, and one line of nothing but fields.
func BenchmarkLinesWrong(b *testing.B) {
	for _, c := range []struct {
		name string
		body []byte
	}{
		{"bare words", bytes.Repeat([]byte("a,b= v=nan,w=inf,x=\"y\"\n"), ingest.MaxReadings)},
		{"one line of bare words", append([]byte("a v=1"), bytes.Repeat([]byte(",v=nan"), 1<<20)...)},
		{"one line of fields", append([]byte("a v=1"), bytes.Repeat([]byte(",v=1"), 1<<21)...)},
		{"one line of tags", append(append([]byte("a"), bytes.Repeat([]byte(",v=1"), 1<<21)...), " v=1"...)},
		{"one line of empty tags", append(append([]byte("a"), bytes.Repeat([]byte(",v="), 1<<21)...), " v=1"...)},
		{"one text", append(append([]byte("a v=\""), bytes.Repeat([]byte(`\n`), 1<<22)...), `"`...)},
		{"escapes", append(bytes.Repeat([]byte(`\ `), 1<<22), "a v=1"...)},
		{"comments", bytes.Repeat([]byte("#\n"), 1<<22)},
		{"blank lines", bytes.Repeat([]byte("\n"), 1<<23)},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(c.body)))
			for b.Loop() {
				if _, err := decoder.Decode(c.body, time.Nanosecond, bounds); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
