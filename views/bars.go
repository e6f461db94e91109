package views

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"readout/server/reading"
)

// barOf is a value as the length of a bar, of 1000.
type barOf struct {
	x, width string
	level    string
	ticks    []tick // where thresholds are
}

type tick struct{ x, level string }

// bounds is what the bars of a panel cover.
func (p picture) bounds() (lo, hi float64) {
	unit := ""
	lo, hi = 0, math.Inf(-1)
	for i, l := range p.lines {
		if i == 0 {
			unit = l.Unit
		}
		if v := l.number(); !math.IsNaN(v) {
			lo, hi = math.Min(lo, v), math.Max(hi, v)
		}
	}
	switch {
	case unit == "percent" || unit == "%":
		hi = math.Max(hi, 100)
	case unit == "ratio":
		hi = math.Max(hi, 1)
	case !math.IsInf(hi, -1):
		hi = axisFor(unit, lo, hi, false).hi
	}
	if p.Min != nil {
		lo = *p.Min
	}
	if p.Max != nil {
		hi = *p.Max
	}
	if hi <= lo {
		hi = lo + 1
	}
	return lo, hi
}

func (p picture) barOf(l line) barOf {
	lo, hi := p.bounds()
	place := func(v float64) int {
		return int(math.Round(min(max((v-lo)/(hi-lo), 0), 1) * box))
	}
	b := barOf{x: "0", width: "0", level: l.level}
	if v := l.number(); !math.IsNaN(v) {
		from, to := place(min(0, v)), place(max(0, v))
		if lo >= 0 {
			from = 0
		}
		b.x, b.width = strconv.Itoa(from), strconv.Itoa(max(to-from, 0))
	}
	for _, t := range p.Thresholds {
		if t.At > lo && t.At < hi {
			b.ticks = append(b.ticks, tick{strconv.Itoa(place(t.At)), t.Level})
		}
	}
	return b
}

// rangeText prints the two ends of a gauge.
func (p picture) rangeText() (lo, hi string) {
	from, to := p.bounds()
	sc := scaleFor(p.lines[0].Unit, max(math.Abs(from), math.Abs(to)), from == math.Trunc(from) && to == math.Trunc(to))
	if from == math.Trunc(from/sc.divisor)*sc.divisor && to == math.Trunc(to/sc.divisor)*sc.divisor {
		sc.decimals = 0
	}
	return sc.text(from), sc.text(to)
}

// tableRow is a topic in a table.
type tableRow struct {
	name  string
	cells []cell
}

type cell struct {
	text, level string
	word        bool
}

// tableColumn is a value in a table.
type tableColumn struct {
	name, unit string
	word       bool
}

// table arranges the lines of a panel by topic: one row each, one column for each
// value, the largest first value on top. Topics that went silent have left.
func (p picture) table() (columns []tableColumn, rows []tableRow, more int) {
	var names []string
	for _, list := range [...][]line{p.lines, p.words} {
		for _, l := range list {
			if !slices.Contains(names, l.Name) {
				names = append(names, l.Name)
			}
		}
	}
	if len(p.Columns) > 0 {
		slices.SortStableFunc(names, func(a, b string) int { return slices.Index(p.Columns, a) - slices.Index(p.Columns, b) })
	}
	type entry struct {
		series *Series
		by     map[string]line
	}
	var entries []entry
	for _, list := range [...][]line{p.lines, p.words} {
		for _, l := range list {
			at := slices.IndexFunc(entries, func(e entry) bool { return e.series == l.series })
			if at < 0 {
				if l.series.freshness(p.now).state == "stale" && p.state != "stale" {
					continue
				}
				at = len(entries)
				entries = append(entries, entry{l.series, map[string]line{}})
			}
			entries[at].by[l.Name] = l
		}
	}
	for _, name := range names {
		c := tableColumn{name: name}
		if other, ok := p.Names[name]; ok {
			c.name = other
		}
		unit, lo, hi, whole, any := "", math.Inf(1), math.Inf(-1), true, false
		for _, e := range entries {
			if l, ok := e.by[name]; ok && !l.state {
				if n := l.number(); !math.IsNaN(n) {
					unit, lo, hi, whole, any = l.Unit, math.Min(lo, n), math.Max(hi, n), whole && n == math.Trunc(n), true
				}
			}
		}
		c.word = !any
		if any {
			sc := scaleOver(unit, lo, hi, whole)
			if p.Decimals != nil {
				sc.decimals = min(max(*p.Decimals, 0), 9)
			}
			c.unit = sc.unit
			for _, e := range entries {
				if l, ok := e.by[name]; ok {
					l.scale = sc
					e.by[name] = l
				}
			}
		}
		columns = append(columns, c)
	}
	topics := make([]reading.Topic, len(entries))
	same := make([]string, len(entries))
	for i, e := range entries {
		topics[i] = e.series.Topic
		if len(entries) == 1 {
			same[i] = string(e.series.Topic)
		}
	}
	called := lineNames(topics, same, nil, false)
	order := make([]int, len(entries))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		if len(names) > 0 {
			if by := byValue(entries[a].by[names[0]], entries[b].by[names[0]]); by != 0 {
				return by
			}
		}
		return strings.Compare(called[a], called[b])
	})
	more = len(order) - p.rowsShown(len(order))
	for _, i := range order[:len(order)-more] {
		row := tableRow{name: called[i]}
		for n, name := range names {
			l, ok := entries[i].by[name]
			c := cell{text: noValue, word: columns[n].word}
			if ok {
				c.text = l.figure()
				if n == 0 {
					c.level = l.level
				}
			}
			row.cells = append(row.cells, c)
		}
		rows = append(rows, row)
	}
	return columns, rows, more
}
