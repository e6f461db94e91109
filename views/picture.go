package views

import (
	"math"
	"slices"
	"strconv"
)

// label is text at a place of the box, in percent of its width or height.
type label struct{ text, at string }

// picture is a panel made ready to draw.
type picture struct {
	Panel
	now, span int64
	lines     []line // numbers
	words     []line // states
	dropped   int    // lines that the panel's limit leaves out

	state    string    // of the whole panel: live stale quiet again stopped empty error forbidden
	level    string    // warn or critical while live
	chip     freshness // what stands in its head
	youngest freshness // of the topic that sent last

	ylabels, xlabels []label
	ywidth           string // of the labels of the values, in em
	unit             string // of the values' axis
	rail             []railLabel
	more             int // lines that the rail does not list
	limits           []limitLine
	missing          []missingBox
	endX             int // where the readings end, in the box; -1 when none are in it
}

// limitLine is a threshold in the chart.
type limitLine struct{ at, class, name string }

// missingBox is a time without readings in the chart.
type missingBox struct {
	x, width     string
	textAt, text string
	thinned      bool
}

// charted says that the panel has axes.
func (p *picture) charted() bool {
	return p.Kind == "line" || p.Kind == "area" || p.Kind == "stacked"
}

// draw makes a panel ready: which lines it has, how they are named and printed,
// what state it is in, and its paths.
func draw(panel Panel, now, span int64) picture {
	p := picture{Panel: panel, now: now, span: spanOr(span), endX: -1}
	if p.Kind == "text" || p.Problem != nil {
		p.judge()
		return p
	}
	p.pick()
	p.nameLines(p.lines)
	p.nameLines(p.words)
	p.levels()
	p.arrange()
	p.scales()
	p.judge()
	if p.Problem = p.trouble(); p.Problem != nil {
		p.judge()
		return p
	}
	p.xlabels = timeLabels(p.span)
	if p.charted() && len(p.lines) > 0 {
		p.plot()
	}
	return p
}

// arrange orders the lines of a panel and leaves out those beyond its limit.
func (p *picture) arrange() {
	switch p.Kind {
	case "stat", "gauge": // one figure: the largest
		slices.SortStableFunc(p.lines, byValue)
	case "bars":
		slices.SortStableFunc(p.lines, byValue)
		p.dropped = len(p.lines) - p.rowsShown(len(p.lines))
		p.lines = p.lines[:len(p.lines)-p.dropped]
	case "line", "area", "stacked":
		p.lines, p.dropped = largest(p.lines, p.limit())
	}
	for i := range p.lines {
		p.lines[i].order = i
	}
}

// trouble says why there is no picture to draw, if so.
func (p *picture) trouble() *Problem {
	if p.state == "empty" {
		return nil // the body says so
	}
	drawsNumbers := p.charted() || p.Kind == "bars" || p.Kind == "gauge"
	switch {
	case !drawsNumbers:
		return nil
	case len(p.lines) == 0 && len(p.words) > 0:
		return &Problem{State: "error", Title: "Cannot draw words", About: string(p.words[0].series.Topic),
			Text: " is a state. Use a timeline, or pick another topic."}
	case len(p.lines) == 0:
		return &Problem{State: "error", Title: "No such value", Text: "None of the topics has the values that this panel asks for. Check its columns."}
	}
	return nil
}

// ended says that no reading comes any more: what is shown is not now.
func (p picture) ended() bool {
	return p.state == "stale" || p.state == "again" || p.state == "stopped"
}

// silent says that a chart has readings, but none in its window.
func (p picture) silent() bool {
	for _, l := range p.lines {
		if l.count > 0 {
			return false
		}
	}
	return p.charted() && len(p.lines) > 0
}

// plot draws the lines over one axis.
func (p *picture) plot() {
	unit, lo, hi, whole := p.extent()
	if lo > hi {
		return
	}
	var sums [][]float64
	var moments []int64
	if p.Kind == "stacked" {
		p.stack()
		moments, sums = p.sums()
		for _, sum := range sums {
			for _, v := range sum {
				lo, hi = math.Min(lo, v), math.Max(hi, v)
			}
		}
		lo = math.Min(lo, 0)
		if shares := unit == "percent" || unit == "%"; shares && hi > 100 && hi < 101 {
			hi = 100 // shares of one whole, rounded
		}
	}
	ax := axisFor(unit, lo, hi, whole)
	sc := ax.scale(p.lines[0].scale, unit, whole)
	p.unit = p.lines[0].scale.unit
	from := p.now - p.span
	if p.Kind != "stacked" {
		times := map[*Series][]int64{}
		for i := range p.lines {
			l := &p.lines[i]
			if times[l.series] == nil {
				times[l.series] = l.series.times()
			}
			f := frame{from: from, to: p.now, lo: ax.lo, hi: ax.hi, joinable: joinable(l.series.Interval)}
			runs := f.strokes(times[l.series], l.values)
			l.path, l.tip, l.endY = linePath(runs), tipPath(runs), endOf(runs)
			if len(p.lines) == 1 || p.Kind == "area" {
				l.area = areaPath(runs)
			}
		}
	} else {
		p.stackPaths(ax, moments, sums)
	}
	last := int64(math.MinInt64)
	for _, l := range p.lines {
		last = max(last, l.lastTime)
	}
	if last >= from {
		p.endX = min(frame{from: from, to: p.now}.x(last), box)
	}
	widest := 1
	for i, text := range ax.labels(sc) {
		at := (ax.hi - (ax.lo + float64(i)*ax.step)) / (ax.hi - ax.lo) * 100
		p.ylabels = append(p.ylabels, label{text, percent(at)})
		widest = max(widest, len([]rune(text)))
	}
	p.ywidth = strconv.FormatFloat(float64(widest)*0.62+1, 'f', 1, 64) + "em"
	for _, t := range p.Thresholds {
		if t.At >= ax.lo && t.At <= ax.hi {
			exact := scale{sc.divisor, sc.unit, decimalsOf(t.At / sc.divisor)}
			p.limits = append(p.limits, limitLine{percent((ax.hi - t.At) / (ax.hi - ax.lo) * 100), t.Level, t.called() + " " + exact.figure(t.At)})
		}
	}
	for _, m := range p.Marks {
		f := frame{from: from, to: p.now}
		x, end := max(f.x(m.From), 0), min(f.x(m.To), box)
		if end > x {
			at := end // beside what is missing
			if m.Thinned || end > box*7/10 {
				at = x
			}
			p.missing = append(p.missing, missingBox{percent(float64(x) / 10), percent(float64(end-x) / 10), percent(float64(at) / 10), m.Text, m.Thinned})
		}
	}
	if len(p.Legend) == 0 { // which lists the same
		p.rail, p.more = railLabels(p.lines, p.plotHeight())
		p.more += p.dropped
	}
}

func (s *Series) times() []int64 {
	times := make([]int64, len(s.Rows))
	for i, row := range s.Rows {
		times[i] = row.Time
	}
	return times
}

func endOf(runs [][]spot) int {
	if len(runs) == 0 {
		return -1
	}
	run := runs[len(runs)-1]
	return run[len(run)-1].y
}

// extent is what the axis covers: all lines and the panel's own bounds, in the
// unit of the first line.
func (p *picture) extent() (unit string, lo, hi float64, whole bool) {
	lo, hi, whole = math.Inf(1), math.Inf(-1), true
	for _, l := range p.lines {
		if l.count > 0 {
			lo, hi, whole = math.Min(lo, l.lo), math.Max(hi, l.hi), whole && l.whole
		}
	}
	if lo > hi {
		return "", lo, hi, whole
	}
	if p.Min != nil {
		lo = math.Min(lo, *p.Min)
	}
	if p.Max != nil {
		hi = math.Max(hi, *p.Max)
	}
	return p.lines[0].Unit, lo, hi, whole
}

const (
	railLines  = 6   // more lines than this and the rail lists the largest five
	labelSpace = 17  // px between two labels
	heroHeight = 250 // px of the plot of a panel that stands alone
)

// plotHeight is about how many px high the plot of the panel is on a screen.
func (p picture) plotHeight() int {
	const rowAndGap, around = 44, 96 // px: what stands above and below the plot
	if p.Height == 0 {
		return heroHeight
	}
	return max(p.Height*rowAndGap-around, 2*labelSpace)
}

type railLabel struct {
	line
	from, at string // the end of the line and the place of the label, in percent
}

// railLabels places the labels at the ends of their lines and pushes them apart,
// in a plot of so many px.
func railLabels(lines []line, height int) (labels []railLabel, more int) {
	if len(lines) < 2 {
		return nil, 0
	}
	shown := slices.Clone(lines)
	if most := min(railLines, height/labelSpace+1); len(shown) > most {
		more = len(shown) - (most - 1)
		slices.SortStableFunc(shown, byValue)
		shown = shown[:most-1]
	}
	apart := min(labelSpace*box/height, box/max(len(shown)-1, 1))
	for i := range shown {
		if shown[i].endY < 0 { // not drawn: it stands below all others
			shown[i].endY = box
		}
	}
	slices.SortStableFunc(shown, func(a, b line) int { return a.endY - b.endY })
	places := make([]int, len(shown))
	for i, l := range shown {
		places[i] = min(l.endY, box)
		if i > 0 {
			places[i] = max(places[i], places[i-1]+apart)
		}
	}
	for i, limit := len(places)-1, box; i >= 0; i, limit = i-1, limit-apart {
		places[i] = min(places[i], limit)
	}
	for i, l := range shown {
		labels = append(labels, railLabel{l, percent(float64(l.endY) / 10), percent(float64(places[i]) / 10)})
	}
	return labels, more
}

// percent prints a place, which the page of another scale may stretch.
func percent(v float64) string {
	return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64) + "%"
}

// hero is the line whose value a panel shows largest: its first number, else its
// first state.
func (p picture) hero() (line, bool) {
	if len(p.lines) > 0 {
		return p.lines[0], true
	}
	if len(p.words) > 0 {
		return p.words[0], true
	}
	return line{}, false
}

// headed says that the panel's one number stands in its head.
func (p picture) headed() bool {
	return p.charted() && len(p.lines) == 1 && p.dropped == 0 && p.state != "empty" || p.Kind == "timeline" && len(p.lanes()) == 1
}

// note stands beside the title: the unit of several lines, and what the panel's
// document says about it.
func (p picture) note() string {
	text := ""
	if len(p.lines) > 1 {
		text = p.unit
	}
	if p.Note != "" {
		if text != "" {
			text += " "
		}
		text += p.Note
	}
	if p.Matching > len(p.Series) {
		if text != "" {
			text += ", "
		}
		text += decimal(float64(len(p.Series)), 0) + " of " + decimal(float64(p.Matching), 0) + " topics"
	}
	return text
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
	f.from, f.to, f.joinable = p.now-p.span, p.now, joinable(l.series.Interval)
	runs := f.strokes(l.series.times(), l.values)
	l.path, l.area, l.tip = linePath(runs), areaPath(runs), tipPath(runs)
	return l
}

// sentence says in words what the picture shows.
func (p picture) sentence() string {
	if len(p.lines) == 0 {
		return p.Title + ", no numbers to draw"
	}
	text := p.Title + ", last " + age(p.span)
	for i, l := range p.lines {
		if i == 3 && len(p.lines) > 4 {
			text += " and " + strconv.Itoa(len(p.lines)-i) + " more"
			break
		}
		if len(p.lines) > 1 {
			text += ", " + l.name
		}
		if l.count == 0 {
			text += ", no reading in this time"
			continue
		}
		text += ", " + l.scale.text(l.lo) + " to " + l.scale.text(l.hi) + ", now " + l.figure()
	}
	for _, m := range p.Marks {
		text += ", " + m.Text
	}
	return text
}

// silencePath tints the time from the last reading to now.
func silencePath(x int) string {
	return "M" + strconv.Itoa(x) + " 0H1000V1000H" + strconv.Itoa(x) + "Z"
}

// rulePath is the line where the readings stopped.
func rulePath(x int) string { return "M" + strconv.Itoa(x) + " 0V1000" }
