package views

import (
	"math"
	"strconv"
)

// box is the size of every drawing, in its own units; the page stretches it.
const box = 1000

// frame maps time and value onto the box. The right edge is now, in all panels
// the same instant.
type frame struct {
	from, to int64 // ms
	lo, hi   float64
	joinable int64 // readings further apart than this many ms are not joined; 0 joins all
}

// sparkFrame covers lo to hi with air above and below.
func sparkFrame(lo, hi float64) frame {
	middle := (lo + hi) / 2
	half := max((hi-lo)*0.58, math.Abs(middle)*0.001)
	if half == 0 {
		half = 1
	}
	return frame{lo: middle - half, hi: middle + half}
}

type spot struct{ x, y int }

// strokes turns one column into the unbroken runs of its line: at most four
// spots for each unit of width (first, lowest, highest, last), so that no peak
// is lost however many readings there are. A reading without this value is left
// out, time without readings breaks the line. The same rule stands in
// static/src/spark.ts; testdata/strokes.json holds both.
func (f frame) strokes(times []int64, values []float64) [][]spot {
	var runs [][]spot
	run := make([]spot, 0, len(times))
	var bucket []spot
	last := int64(math.MinInt64)
	flush := func() {
		run = appendExtremes(run, bucket)
		bucket = bucket[:0]
	}
	for i, t := range times {
		if t < f.from || t > f.to || math.IsNaN(values[i]) {
			continue
		}
		s := f.place(t, values[i])
		broken := f.joinable > 0 && last != math.MinInt64 && t-last > f.joinable
		if len(bucket) > 0 && (broken || bucket[0].x != s.x) {
			flush()
		}
		if broken {
			runs = append(runs, run)
			run = nil
		}
		bucket = append(bucket, s)
		last = t
	}
	if len(bucket) > 0 {
		flush()
		runs = append(runs, run)
	}
	return runs
}

func (f frame) place(t int64, v float64) spot {
	return spot{f.x(t), int(math.Floor(box - (v-f.lo)/(f.hi-f.lo)*box + 0.5))}
}

func (f frame) x(t int64) int {
	return int(math.Floor(float64(t-f.from)/float64(f.to-f.from)*box + 0.5))
}

// appendExtremes keeps the first, the lowest, the highest and the last of the
// spots that share one x, in their order and without repeats.
func appendExtremes(run, spots []spot) []spot {
	if len(spots) < 3 {
		return append(run, spots...)
	}
	low, high := 0, 0
	for i, s := range spots {
		if s.y < spots[low].y {
			low = i
		}
		if s.y > spots[high].y {
			high = i
		}
	}
	run = append(run, spots[0])
	for _, i := range [...]int{min(low, high), max(low, high), len(spots) - 1} {
		if spots[i] != run[len(run)-1] {
			run = append(run, spots[i])
		}
	}
	return run
}

// linePath draws the runs. A run of one spot becomes a dot, which the round cap
// of the stroke makes visible.
func linePath(runs [][]spot) string {
	var b []byte
	for _, run := range runs {
		for i, s := range run {
			if i == 0 {
				b = append(b, 'M')
			} else {
				b = append(b, 'L')
			}
			b = appendSpot(b, s)
		}
		if len(run) == 1 {
			b = append(b, "h0"...)
		}
	}
	return string(b)
}

// areaPath fills the runs down to the bottom; a single reading covers no time
// and has no area.
func areaPath(runs [][]spot) string {
	var b []byte
	for _, run := range runs {
		if len(run) < 2 {
			continue
		}
		b = appendSpot(append(b, 'M'), spot{run[0].x, box})
		for _, s := range run {
			b = appendSpot(append(b, 'L'), s)
		}
		b = append(appendSpot(append(b, 'L'), spot{run[len(run)-1].x, box}), 'Z')
	}
	return string(b)
}

// tipPath is the dot at the last reading.
func tipPath(runs [][]spot) string {
	if len(runs) == 0 {
		return ""
	}
	run := runs[len(runs)-1]
	return string(append(appendSpot([]byte{'M'}, run[len(run)-1]), "h0"...))
}

func appendSpot(b []byte, s spot) []byte {
	b = strconv.AppendInt(b, int64(s.x), 10)
	return strconv.AppendInt(append(b, ' '), int64(s.y), 10)
}
