package ingest

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"

	"github.com/klauspost/compress/zstd"

	"readout/server/reading"
)

const (
	maxWindow = 8 << 20 // bytes that a zstd frame may refer back to
	maxRatio  = 100     // how much larger than sent a body may become, once it is large
	freeRatio = 1 << 20 // bytes that any body may become, whatever the ratio
)

// Inflate undoes a Content-Encoding: none, identity, gzip or zstd, and only one
// of them. The result never has more than limit bytes, and getting there never
// takes memory in proportion to what a body merely claims.
func Inflate(encoding string, body []byte, limit int) ([]byte, error) {
	var from io.Reader
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "", "identity":
		if len(body) > limit {
			return nil, tooLarge(limit)
		}
		return body, nil
	case "gzip":
		r, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return nil, reading.Refuse("bad_encoding", "the body is not gzip as Content-Encoding says")
		}
		from = r
	case "zstd":
		r, err := zstd.NewReader(bytes.NewReader(body), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxMemory(uint64(max(limit, 1<<10))), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, err
		}
		defer r.Close()
		from = r
	default:
		return nil, reading.Refuse("unsupported_encoding", "the Content-Encoding %s is not supported; use gzip or zstd, once, or none", reading.Quote(encoding))
	}
	most := min(limit, max(freeRatio, maxRatio*len(body)))
	out, err := readAll(from, most, 4*len(body))
	switch {
	case errors.Is(err, zstd.ErrDecoderSizeExceeded), errors.Is(err, zstd.ErrWindowSizeExceeded):
		return nil, tooLarge(limit)
	case err != nil:
		return nil, reading.Refuse("bad_encoding", "the body is not %s as Content-Encoding says, or it is cut short", strings.ToLower(strings.TrimSpace(encoding)))
	case len(out) > most && most < limit:
		return nil, reading.Refuse("too_large", "the body becomes more than %d times larger when inflated; compress less", maxRatio)
	case len(out) > most:
		return nil, tooLarge(limit)
	}
	return out, nil
}

// readAll reads until the end, or until it has more than most bytes. guess is
// how many to expect. It never holds more than twice most.
func readAll(from io.Reader, most, guess int) ([]byte, error) {
	out := make([]byte, 0, min(most+1, max(guess, 512)))
	for len(out) <= most {
		if len(out) == cap(out) {
			larger := make([]byte, len(out), min(2*cap(out), most+1))
			copy(larger, out)
			out = larger
		}
		n, err := from.Read(out[len(out):cap(out)])
		out = out[:len(out)+n]
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func tooLarge(limit int) error {
	return reading.Refuse("too_large", "the body has more than %d bytes when inflated; split it", limit)
}
