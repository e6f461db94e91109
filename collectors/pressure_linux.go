package collectors

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"syscall"
)

// pressureReader reads /proc/pressure.
type pressureReader struct{ file kernelFile }

func (r *pressureReader) read(ctx context.Context, resource string) (pressureStat, error) {
	text, err := r.file.readOnce(procPath(ctx, "pressure/"+resource))
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.EOPNOTSUPP), errors.Is(err, fs.ErrPermission):
		return pressureStat{}, nil // an old kernel, psi=0, a container that hides it
	case err != nil:
		return pressureStat{}, err
	}
	return parsePressure(text), nil
}

// parsePressure reads the lines
//
//	some avg10=0.22 avg60=0.17 avg300=1.11 total=58761459
//	full avg10=0.00 avg60=0.00 avg300=0.00 total=0
func parsePressure(text []byte) pressureStat {
	var stat pressureStat
	for len(text) > 0 {
		var line []byte
		line, text = nextLine(text)
		kind, line := nextField(line)
		avg10, line := nextField(line)
		avg60, _ := nextField(line)
		ten, ok10 := average(avg10, "avg10=")
		sixty, ok60 := average(avg60, "avg60=")
		switch {
		case !ok10 || !ok60:
		case string(kind) == "some":
			stat.some, stat.some10, stat.some60 = true, ten, sixty
		case string(kind) == "full":
			stat.full, stat.full10, stat.full60 = true, ten, sixty
		}
	}
	return stat
}

// average reads avg10=12.34, a percentage with two decimals.
func average(field []byte, key string) (float64, bool) {
	number, ok := bytes.CutPrefix(field, []byte(key))
	if !ok {
		return 0, false
	}
	before, after, ok := bytes.Cut(number, []byte("."))
	percent, ok1 := numberOf(before)
	hundredths, ok2 := numberOf(after)
	if !ok || !ok1 || !ok2 || len(after) != 2 || percent > 100 {
		return 0, false
	}
	return min(float64(percent*100+hundredths)/100, 100), true
}
