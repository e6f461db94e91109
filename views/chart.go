package views

import (
	"encoding/json"
	"math"
	"strconv"
	"time"

	"readout/server/reading"
)

// seriesColours is how many colours there are before lines repeat them dashed.
const seriesColours = 8

// line is one column as a panel shows it.
type line struct {
	reading.Column
	index  int   // its place among the columns
	order  int   // its place among the drawn lines, which chooses its colour
	state  bool  // texts and bools are shown as words, never drawn
	scale  scale // how its figures are printed
	last   reading.Value
	values []float64 // NaN where a reading has no such value

	lo, hi, sum float64
	count       int
	whole       bool

	path, area, tip string
	endY            int // where the line ends, in the box; -1 when nothing is drawn
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

// class names the line's colour and dash.
func (l line) class() string {
	class := "k" + strconv.Itoa(l.order%seriesColours+1)
	if round := l.order / seriesColours; round > 0 {
		class += " dash" + strconv.Itoa(min(round, 2))
	}
	return class
}

func (l line) fill() string { return "f" + strconv.Itoa(l.order%seriesColours+1) }

// label is text at a place of the box, in percent of its width or height.
type label struct{ text, at string }

// picture is a series made ready to draw.
type picture struct {
	Series
	now, span int64
	lines     []line // numbers, in the order of the columns
	states    []line
	ylabels   []label
	xlabels   []label
	rail      []railLabel
	more      int // lines that the rail does not list
	fresh     freshness
	endX      int // where the readings end, in the box; -1 when none are in it
}

type railLabel struct {
	line
	from, at string // the end of the line and the place of the label, in percent
}

func draw(s Series, now, span int64) picture {
	p := picture{Series: s, now: now, span: spanOr(span), endX: -1}
	p.fresh = s.freshness(now)
	times := make([]int64, len(s.Rows))
	for i, row := range s.Rows {
		times[i] = row.Time
	}
	for i, c := range s.Columns {
		l := s.column(i, c, now-p.span)
		if l.state {
			p.states = append(p.states, l)
			continue
		}
		l.order = len(p.lines)
		p.lines = append(p.lines, l)
	}
	if len(p.lines) == 0 || len(times) == 0 {
		return p
	}
	scales(p.lines)
	unit, lo, hi, whole := p.extent()
	ax := axisFor(unit, lo, hi, whole)
	sc := scaleFor(unit, max(math.Abs(ax.lo), math.Abs(ax.hi)), whole)
	f := frame{from: now - p.span, to: now, lo: ax.lo, hi: ax.hi, joinable: joinable(s.Interval)}
	for i := range p.lines {
		l := &p.lines[i]
		runs := f.strokes(times, l.values)
		l.path, l.tip, l.endY = linePath(runs), tipPath(runs), -1
		if len(p.lines) == 1 {
			l.area = areaPath(runs)
		}
		if len(runs) > 0 {
			run := runs[len(runs)-1]
			l.endY = run[len(run)-1].y
		}
	}
	if last := times[len(times)-1]; last >= f.from {
		p.endX = min(f.x(last), box)
	}
	for i, text := range ax.labels(sc) {
		at := (ax.hi - (ax.lo + float64(i)*ax.step)) / (ax.hi - ax.lo) * 100
		p.ylabels = append(p.ylabels, label{text, percent(at)})
	}
	p.xlabels = timeLabels(p.span)
	p.rail, p.more = railLabels(p.lines)
	return p
}

// joinable is how far apart two readings may be and still be joined by a line:
// a topic is silent from three of its intervals on, at least 2 s.
func joinable(interval int64) int64 {
	if interval <= 0 {
		return 0
	}
	return max(3*interval, 2000)
}

// column collects what the rows say about one column. Only readings since from
// count for the extremes; the last value counts however old it is.
func (s Series) column(index int, c reading.Column, from int64) line {
	l := line{Column: c, index: index, whole: true, lo: math.Inf(1), hi: math.Inf(-1), endY: -1, values: make([]float64, len(s.Rows))}
	l.state = c.Kind == "state"
	for i, row := range s.Rows {
		l.values[i] = math.NaN()
		if index >= len(row.Values) {
			continue
		}
		v := row.Values[index]
		if v.Kind() == reading.None {
			continue
		}
		l.last = v
		n, ok := v.Number()
		if !ok || v.Kind() == reading.Bool {
			continue
		}
		l.values[i] = n
		if row.Time < from {
			continue
		}
		l.lo, l.hi, l.sum, l.count = math.Min(l.lo, n), math.Max(l.hi, n), l.sum+n, l.count+1
		l.whole = l.whole && n == math.Trunc(n)
	}
	if kind := l.last.Kind(); kind == reading.Text || kind == reading.Bool {
		l.state = true
	}
	return l
}

// shown is what a line's figures cover: its readings in the window, else its last value.
func (l line) shown() (lo, hi float64, whole bool) {
	if l.count > 0 {
		return l.lo, l.hi, l.whole
	}
	n, _ := l.last.Number()
	return n, n, n == math.Trunc(n)
}

// scales gives all lines of one unit the same scale, so that their figures line up.
func scales(lines []line) {
	type span struct {
		lo, hi float64
		whole  bool
	}
	units := map[string]span{}
	for _, l := range lines {
		lo, hi, whole := l.shown()
		if s, ok := units[l.Unit]; ok {
			lo, hi, whole = math.Min(lo, s.lo), math.Max(hi, s.hi), whole && s.whole
		}
		units[l.Unit] = span{lo, hi, whole}
	}
	for i := range lines {
		s := units[lines[i].Unit]
		lines[i].scale = scaleOver(lines[i].Unit, s.lo, s.hi, s.whole)
	}
}

// extent is what the axis covers: all lines, in the unit of the first.
func (p picture) extent() (unit string, lo, hi float64, whole bool) {
	lo, hi, whole = math.Inf(1), math.Inf(-1), true
	for _, l := range p.lines {
		if l.count > 0 {
			lo, hi, whole = math.Min(lo, l.lo), math.Max(hi, l.hi), whole && l.whole
		}
	}
	return p.lines[0].Unit, lo, hi, whole
}

// timeLabels names times by their distance from now, because a server does not
// know the viewer's time zone; the script replaces them by the clock.
func timeLabels(span int64) []label {
	step := span / 5
	for _, round := range []int64{1000, 2000, 5000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_800_000, 3_600_000, 7_200_000, 21_600_000, 86_400_000} {
		if step = round; span/round <= 5 {
			break
		}
	}
	var labels []label
	for back := span / step * step; back >= step; back -= step {
		if at := 100 - float64(back)/float64(span)*100; at >= 3 {
			labels = append(labels, label{minusSign + age(back), percent(at)})
		}
	}
	return append(labels, label{"now", "100%"})
}

const (
	railLines   = 6  // more lines than this and the rail lists the largest five
	railSpacing = 85 // the least distance of two labels, in thousandths of a chart 200 px high
)

// railLabels places the labels at the ends of their lines and pushes them apart.
func railLabels(lines []line) (labels []railLabel, more int) {
	if len(lines) < 2 {
		return nil, 0
	}
	shown := make([]line, 0, len(lines))
	for _, l := range lines {
		if l.endY < 0 { // not drawn: it stands below all others
			l.endY = box
		}
		at := len(shown)
		for at > 0 && shown[at-1].endY > l.endY {
			at--
		}
		shown = append(shown[:at], append([]line{l}, shown[at:]...)...)
	}
	if len(shown) > railLines {
		more = len(shown) - (railLines - 1)
		shown = shown[:railLines-1]
	}
	places := make([]int, len(shown))
	for i, l := range shown {
		places[i] = min(l.endY, box)
		if i > 0 {
			places[i] = max(places[i], places[i-1]+railSpacing)
		}
	}
	for i, limit := len(places)-1, box; i >= 0; i, limit = i-1, limit-railSpacing {
		places[i] = min(places[i], limit)
	}
	for i, l := range shown {
		labels = append(labels, railLabel{l, percent(float64(l.endY) / 10), percent(float64(places[i]) / 10)})
	}
	return labels, more
}

func percent(v float64) string {
	return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64) + "%"
}

// sentence says in words what the picture shows.
func (p picture) sentence() string {
	if len(p.lines) == 0 || len(p.Rows) == 0 {
		return string(p.Topic) + ", no numbers to draw"
	}
	text := string(p.Topic) + ", last " + age(p.span)
	for i, l := range p.lines {
		if i == 3 && len(p.lines) > 4 {
			return text + " and " + strconv.Itoa(len(p.lines)-i) + " more"
		}
		if len(p.lines) > 1 {
			text += ", " + l.Name
		}
		if l.count == 0 {
			text += ", no reading in this time"
			continue
		}
		text += ", " + l.scale.text(l.lo) + " to " + l.scale.text(l.hi) + ", now " + l.figure()
	}
	return text
}

// freshness is how a panel says how alive its topic is: a shape and a word.
type freshness struct {
	state string // live, stale, quiet (sends on change) or empty
	word  string
}

func (s Series) freshness(now int64) freshness {
	last, ok := s.last()
	if !ok {
		return freshness{"empty", "no reading yet"}
	}
	silence := max(now-last.Time, 0)
	word := age(silence) + " ago"
	switch {
	case s.Interval > 0 && silence > joinable(s.Interval):
		return freshness{"stale", word}
	case s.Interval <= 0 && silence > 10_000:
		return freshness{"quiet", word}
	}
	return freshness{"live", word}
}

func (s Series) last() (Row, bool) {
	if len(s.Rows) == 0 {
		return Row{}, false
	}
	return s.Rows[len(s.Rows)-1], true
}

// hero is the line whose value a panel shows largest: its first number, else its
// first state.
func (p picture) hero() (line, bool) {
	if len(p.lines) > 0 {
		return p.lines[0], true
	}
	if len(p.states) > 0 {
		return p.states[0], true
	}
	return line{}, false
}

// sparkline is the first line as it is drawn where there are no axes: over its
// own range, which is at least a five-hundredth of its values, so that rounding
// does not look like change.
func (p picture) sparkline() line {
	if len(p.lines) == 0 || p.lines[0].count == 0 {
		return line{}
	}
	l := p.lines[0]
	f := sparkFrame(l.lo, l.hi)
	f.from, f.to, f.joinable = p.now-p.span, p.now, joinable(p.Interval)
	times := make([]int64, len(p.Rows))
	for i, row := range p.Rows {
		times[i] = row.Time
	}
	runs := f.strokes(times, l.values)
	l.path, l.area, l.tip = linePath(runs), areaPath(runs), tipPath(runs)
	return l
}

// panelData is what the script reads of a panel, as JSON beside it.
type panelData struct {
	Topic    string     `json:"topic"`
	Columns  []string   `json:"columns"`
	Units    []string   `json:"units"`
	Kinds    []string   `json:"kinds"`
	Interval int64      `json:"interval"`
	Now      int64      `json:"now"`
	Span     int64      `json:"span"`
	After    string     `json:"after"`
	Rows     []panelRow `json:"rows"`
}

type panelRow Row

// MarshalJSON prints a row as the live protocol does: [t,value,...].
func (r panelRow) MarshalJSON() ([]byte, error) {
	b := strconv.AppendInt([]byte{'['}, r.Time, 10)
	for _, v := range r.Values {
		b = v.AppendJSON(append(b, ','))
	}
	return append(b, ']'), nil
}

// data is safe inside a script element: json escapes <, > and &.
func (p picture) data() (string, error) {
	d := panelData{
		Topic: string(p.Topic), Interval: p.Interval, Now: p.now, Span: p.span, After: p.Cursor,
		Columns: []string{}, Units: []string{}, Kinds: []string{}, Rows: make([]panelRow, len(p.Rows)),
	}
	for _, c := range p.Columns {
		d.Columns, d.Units, d.Kinds = append(d.Columns, c.Name), append(d.Units, c.Unit), append(d.Kinds, c.Kind)
	}
	for i, row := range p.Rows {
		d.Rows[i] = panelRow(row)
	}
	b, err := json.Marshal(d)
	return string(b), err
}

// clock prints a time for a page without scripts, which cannot know the zone of
// its reader.
func clock(ms int64) string { return time.UnixMilli(ms).UTC().Format("15:04:05") + " UTC" }

// machineTime is the same for the script and for other readers of the markup.
func machineTime(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z") }

// kept prints how long something is kept, in the largest whole unit.
func kept(d time.Duration) string {
	switch {
	case d <= 0:
		return "as long as the store does"
	case d%time.Hour == 0 && d < 48*time.Hour:
		return strconv.Itoa(int(d/time.Hour)) + " h"
	case d%(24*time.Hour) == 0:
		return strconv.Itoa(int(d/(24*time.Hour))) + " days"
	}
	return age(d.Milliseconds())
}

// silencePath tints the time from the last reading to now.
func silencePath(x int) string {
	return "M" + strconv.Itoa(x) + " 0H1000V1000H" + strconv.Itoa(x) + "Z"
}

// rulePath is the line where the readings stopped.
func rulePath(x int) string { return "M" + strconv.Itoa(x) + " 0V1000" }
