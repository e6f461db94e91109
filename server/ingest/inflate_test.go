package ingest_test

import (
	"bytes"
	"compress/gzip"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"readout/server/ingest"
)

const inflated = 8 << 20

func gzipOf(tb testing.TB, plain []byte) []byte {
	tb.Helper()
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestSpeed) // the race detector makes compression slow
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := w.Write(plain); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func zstdOf(tb testing.TB, plain []byte) []byte {
	tb.Helper()
	w, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		tb.Fatal(err)
	}
	return w.EncodeAll(plain, nil)
}

// noise is text that does not compress to less than about half.
func noise(n int) []byte {
	b := make([]byte, n)
	seed := uint32(1)
	for i := range b {
		seed = seed*1664525 + 1013904223
		b[i] = byte(seed >> 24)
	}
	return b
}

func TestInflate(t *testing.T) {
	plain := batch(1000, "[", ",", "]")
	long := noise(inflated)
	bomb := gzipOf(t, make([]byte, 64<<20))
	member := gzipOf(t, make([]byte, 1<<20))
	for _, c := range []struct {
		name, encoding string
		body, want     []byte
		code           string
	}{
		{"none", "", plain, plain, ""},
		{"identity", "identity", plain, plain, ""},
		{"gzip", "gzip", gzipOf(t, plain), plain, ""},
		{"another case", "GZip", gzipOf(t, plain), plain, ""},
		{"zstd", "zstd", zstdOf(t, plain), plain, ""},
		{"gzip of nothing", "gzip", gzipOf(t, nil), nil, ""},
		{"gzip of two members", "gzip", append(gzipOf(t, []byte("[")), gzipOf(t, []byte("]"))...), []byte("[]"), ""},
		{"zstd of two frames", "zstd", append(zstdOf(t, []byte("[")), zstdOf(t, []byte("]"))...), []byte("[]"), ""},
		{"just the limit", "gzip", gzipOf(t, long), long, ""},
		{"just the limit, zstd", "zstd", zstdOf(t, long), long, ""},

		{"plain above the limit", "", make([]byte, inflated+1), nil, "too_large"},
		{"one byte above the limit", "gzip", gzipOf(t, append(long, 0)), nil, "too_large"},
		{"one byte above the limit, zstd", "zstd", zstdOf(t, append(long, 0)), nil, "too_large"},
		{"B21 plain called gzip", "gzip", plain, nil, "bad_encoding"},
		{"B21 plain called zstd", "zstd", plain, nil, "bad_encoding"},
		{"B21 gzip twice", "gzip, gzip", gzipOf(t, gzipOf(t, plain)), nil, "unsupported_encoding"},
		{"B21 br", "br", plain, nil, "unsupported_encoding"},
		{"B21 deflate", "deflate", plain, nil, "unsupported_encoding"},
		{"cut short", "gzip", gzipOf(t, plain)[:500], nil, "bad_encoding"},
		{"cut short, zstd", "zstd", zstdOf(t, plain)[:500], nil, "bad_encoding"},
		{"wrong checksum", "gzip", flip(gzipOf(t, plain), -6), nil, "bad_encoding"},
		{"something behind", "gzip", append(gzipOf(t, plain), "x"...), nil, "bad_encoding"},
		{"B22 bomb", "gzip", bomb, nil, "too_large"},
		{"B22 bomb of many members", "gzip", bytes.Repeat(member, 64), nil, "too_large"},
		{"B22 ratio", "gzip", gzipOf(t, make([]byte, 4<<20)), nil, "too_large"},
		{"bomb, zstd", "zstd", zstdOf(t, make([]byte, 64<<20)), nil, "too_large"},
		// A frame header with a window of 1 GiB, then one with a declared size of 1 GiB, then an empty last block.
		{"B23 window", "zstd", []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 20 << 3, 1, 0, 0}, nil, "too_large"},
		{"B23 declared size", "zstd", []byte{0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0, 0x40, 1, 0, 0}, nil, "too_large"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			got, err := ingest.Inflate(c.encoding, c.body, inflated)
			runtime.ReadMemStats(&after)
			if code(t, err) != c.code {
				t.Fatalf("code %q (%v), want %q", code(t, err), err, c.code)
			}
			if !bytes.Equal(got, c.want) {
				t.Errorf("%d bytes, want %d", len(got), len(c.want))
			}
			// All that was ever allocated is an upper bound of the peak.
			if used := after.TotalAlloc - before.TotalAlloc; used > 3*inflated {
				t.Errorf("%d KiB were allocated", used>>10)
			}
			if err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("message has several lines: %q", err)
			}
		})
	}
}

func flip(b []byte, at int) []byte {
	b[len(b)+at] ^= 1
	return b
}
