package views

import (
	"math"
	"strconv"

	"readout/server/reading"
)

// seriesColours is how many colours there are before lines repeat them dashed.
const seriesColours = 8

// line is one value of one topic as a panel shows it.
type line struct {
	reading.Column // with the unit that the panel shows
	series         *Series
	name           string // as the panel calls it
	index          int    // its place among the topic's columns
	order          int    // its place among the drawn lines, which chooses its colour
	state          bool   // texts and bools are shown as words, never drawn
	scale          scale  // how its figures are printed
	last           reading.Value
	lastTime       int64
	values         []float64 // NaN where a reading has no such value

	// What its readings in the window say.
	lo, hi, sum      float64
	count            int
	whole            bool
	first            float64
	firstTime, until int64

	level, reached  string // warn or critical, and the threshold's name
	path, area, tip string
	endY            int // where the line ends, in the box; -1 when nothing is drawn
}

// column collects what the rows say about one column. Only readings since from
// count for the extremes; the last value counts however old it is.
func (s *Series) column(index int, from int64) line {
	c := s.Columns[index]
	l := line{series: s, Column: c, name: c.Name, index: index, whole: true, lo: math.Inf(1), hi: math.Inf(-1), endY: -1, values: make([]float64, len(s.Rows))}
	l.state = c.Kind == reading.State
	for i, row := range s.Rows {
		l.values[i] = math.NaN()
		if index >= len(row.Values) {
			continue
		}
		v := row.Values[index]
		if v.Kind() == reading.None {
			continue
		}
		l.last, l.lastTime = v, row.Time
		n, ok := v.Number()
		if !ok || v.Kind() == reading.Bool {
			continue
		}
		l.values[i] = n
		if row.Time < from {
			continue
		}
		if l.count == 0 {
			l.first, l.firstTime = n, row.Time
		}
		l.until = row.Time
		l.lo, l.hi, l.sum, l.count = math.Min(l.lo, n), math.Max(l.hi, n), l.sum+n, l.count+1
		l.whole = l.whole && n == math.Trunc(n)
	}
	if kind := l.last.Kind(); kind == reading.Text || kind == reading.Bool {
		l.state = true
	}
	return l
}

// number is the last value, NaN when there is none or it is a word.
func (l line) number() float64 {
	if n, ok := l.last.Number(); ok && !l.state {
		return n
	}
	return math.NaN()
}

// figure is the last value without its unit.
func (l line) figure() string {
	if n, ok := l.last.Number(); ok && !l.state {
		return l.scale.figure(n)
	}
	if l.last.Kind() == reading.None {
		return noValue
	}
	return l.last.String()
}

// unit stands beside the figure; a state or a missing value has none.
func (l line) unit() string {
	if l.state || l.last.Kind() == reading.None {
		return ""
	}
	return l.scale.unit
}

func (l line) lowest() string  { return l.orNone(l.lo) }
func (l line) highest() string { return l.orNone(l.hi) }

// mean shows one decimal more than whole readings do: 40.5 orders.
func (l line) mean() string {
	sc := l.scale
	mean := l.sum / float64(l.count)
	if l.whole && sc.decimals == 0 && mean != math.Trunc(mean) && l.hi < 1000 {
		sc.decimals = 1
	}
	if l.count == 0 {
		return noValue
	}
	return sc.figure(mean)
}

func (l line) orNone(v float64) string {
	if l.count == 0 {
		return noValue
	}
	return l.scale.figure(v)
}

// change says how the value moved within the window: −2.1 in 5 min. A value that
// is not live any more says when it was read instead.
func (l line) change(stale bool, span int64) string {
	switch {
	case l.last.Kind() == reading.None:
		return ""
	case stale:
		return "at " + clock(l.lastTime)
	case l.state || l.count < 2:
		return ""
	}
	covered := l.until - l.firstTime
	if covered*10 >= span*9 {
		covered = span
	}
	if covered < 1000 {
		return ""
	}
	moved := l.number() - l.first
	text := l.scale.figure(moved)
	switch {
	case l.scale.figure(math.Abs(moved)) == l.scale.figure(0):
		text = "no change"
	case moved > 0:
		text = "+" + text
	}
	return text + " in " + age(covered)
}

// class names the line's colour and dash.
func (l line) class() string {
	class := "k" + strconv.Itoa(l.order%seriesColours+1)
	if round := l.order / seriesColours; round > 0 {
		class += " dash" + strconv.Itoa(min(round, 2))
	}
	return class
}

func (l line) fill() string { return "f" + strconv.Itoa(l.order%seriesColours+1) }

// shown is what a line's figures cover: its readings in the window, else its last value.
func (l line) shown() (lo, hi float64, whole bool) {
	if l.count > 0 {
		return l.lo, l.hi, l.whole
	}
	n, _ := l.last.Number()
	return n, n, n == math.Trunc(n)
}

// scales gives all lines of one unit the same scale, so that their figures line up.
func (p *picture) scales() {
	type span struct {
		lo, hi float64
		whole  bool
	}
	units := map[string]span{}
	for _, l := range p.lines {
		lo, hi, whole := l.shown()
		if s, ok := units[l.Unit]; ok {
			lo, hi, whole = math.Min(lo, s.lo), math.Max(hi, s.hi), whole && s.whole
		}
		units[l.Unit] = span{lo, hi, whole}
	}
	for i := range p.lines {
		s := units[p.lines[i].Unit]
		sc := scaleOver(p.lines[i].Unit, s.lo, s.hi, s.whole)
		if p.Decimals != nil {
			sc.decimals = min(max(*p.Decimals, 0), 9)
		}
		p.lines[i].scale = sc
	}
}

// levels decides which thresholds the lines have reached. The worst wins; of two
// of the same level the later one.
func (p *picture) levels() {
	for i := range p.lines {
		l := &p.lines[i]
		l.level, l.reached = p.levelOf(l.number())
	}
}

func (p *picture) levelOf(v float64) (level, name string) {
	if math.IsNaN(v) {
		return "", ""
	}
	for _, t := range p.Thresholds {
		if (t.Below && v <= t.At || !t.Below && v >= t.At) && (t.Level == "critical" || level != "critical") {
			level, name = t.Level, t.called()
		}
	}
	return level, name
}

func (t Threshold) called() string {
	if t.Name != "" {
		return t.Name
	}
	return t.Level
}
