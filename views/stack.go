package views

import (
	"cmp"
	"math"
	"slices"
)

// stack turns the lines into sums of themselves and those below, the largest at
// the bottom. Topics that do not send at the same moments are carried on from
// their last reading for as long as a line would join them. Each keeps the colour
// of its place in the panel.
func (p *picture) stack() {
	slices.SortStableFunc(p.lines, func(a, b line) int { return cmp.Compare(meanOf(b), meanOf(a)) })
}

func meanOf(l line) float64 {
	if l.count == 0 {
		return math.Inf(-1)
	}
	return l.sum / float64(l.count)
}

// sums returns the moments of all lines and, for each line, the sum up to it.
func (p *picture) sums() (times []int64, sums [][]float64) {
	from := p.now - p.span
	for i, l := range p.lines {
		if i > 0 && l.series == p.lines[i-1].series {
			continue
		}
		for _, row := range l.series.Rows {
			if row.Time >= from && row.Time <= p.now {
				times = append(times, row.Time)
			}
		}
	}
	slices.Sort(times)
	times = slices.Compact(times)
	below := make([]float64, len(times))
	for _, l := range p.lines {
		sum := make([]float64, len(times))
		at, far := 0, joinable(l.series.Interval)
		value, since := math.NaN(), int64(0)
		for i, t := range times {
			for at < len(l.values) && l.series.Rows[at].Time <= t {
				if !math.IsNaN(l.values[at]) {
					value, since = l.values[at], l.series.Rows[at].Time
				}
				at++
			}
			sum[i] = below[i]
			if !math.IsNaN(value) && (far == 0 || t-since <= far) {
				sum[i] += value
			}
		}
		sums = append(sums, sum)
		below = sum
	}
	return times, sums
}

// stackPaths draws each line over the one below it, with the area between them.
func (p *picture) stackPaths(ax axis, times []int64, sums [][]float64) {
	far := int64(0)
	for _, l := range p.lines {
		far = max(far, joinable(l.series.Interval))
	}
	f := frame{from: p.now - p.span, to: p.now, lo: ax.lo, hi: ax.hi, joinable: far}
	var below [][]spot
	for i := range p.lines {
		l := &p.lines[i]
		runs := f.strokes(times, sums[i])
		l.path, l.endY = linePath(runs), endOf(runs)
		l.area = between(runs, below)
		below = runs
	}
}

// between fills from the runs of one line down to those of another, which break
// at the same moments; without another, down to the bottom.
func between(upper, lower [][]spot) string {
	if lower == nil {
		return areaPath(upper)
	}
	var b []byte
	for i, run := range upper {
		if len(run) < 2 || i >= len(lower) {
			continue
		}
		for j, s := range run {
			b = appendSpot(append(b, "ML"[boolInt(j > 0)]), s)
		}
		for _, s := range slices.Backward(lower[i]) {
			b = appendSpot(append(b, 'L'), s)
		}
		b = append(b, 'Z')
	}
	return string(b)
}
