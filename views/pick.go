package views

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"readout/server/reading"
)

// Limits of the lines that one panel shows unless it says otherwise.
const (
	mostLines = 12
	mostRows  = 8 // of bars and tables
)

func (p *picture) limit() int {
	switch {
	case p.Limit > 0:
		return p.Limit
	case p.Kind == "bars" || p.Kind == "table":
		return mostRows
	}
	return mostLines
}

// Sizes of a board, in px, by which the server knows how many rows a panel has
// room for. The script measures (static/src/kinds/fit.ts).
const (
	boardRow   = 32
	boardGap   = 12
	panelEdges = 46 // border, padding and head
	tableHead  = 26
	tableLine  = 27
	barLine    = 27
	moreLine   = 18
)

// rowsShown is how many of n rows of bars or of a table are shown: at most the
// panel's limit, and only whole ones, with a line that counts the others.
func (p *picture) rowsShown(n int) int {
	most := min(n, p.limit())
	room, line := p.Height*(boardRow+boardGap)-boardGap-panelEdges, barLine
	if p.Kind == "table" {
		room, line = room-tableHead, tableLine
	}
	if p.Height == 0 || most == n && n*line <= room { // no board, or room for all
		return most
	}
	return min(most, max(1, (room-moreLine)/line))
}

// pick turns the topics of a panel into its lines: those with numbers and those
// with words, in the order of the topics and of the columns.
func (p *picture) pick() {
	from := p.now - p.span
	for _, s := range p.Series {
		for _, index := range p.columnsOf(s) {
			l := s.column(index, from)
			if p.Unit != "" && !l.state {
				l.Unit = p.Unit
			}
			if l.state {
				p.words = append(p.words, l)
			} else {
				p.lines = append(p.lines, l)
			}
		}
	}
}

// columnsOf returns the places of the columns that the panel shows of a topic.
func (p *picture) columnsOf(s *Series) []int {
	var places []int
	if len(p.Columns) == 0 {
		for i := range s.Columns {
			places = append(places, i)
		}
		return places
	}
	for _, name := range p.Columns {
		if at := slices.IndexFunc(s.Columns, func(c reading.Column) bool { return c.Name == name }); at >= 0 {
			places = append(places, at)
		}
	}
	return places
}

// largest keeps the n lines with the largest last values, in their order.
func largest(lines []line, n int) (kept []line, more int) {
	if len(lines) <= n {
		return lines, 0
	}
	sorted := slices.Clone(lines)
	slices.SortStableFunc(sorted, byValue)
	least := map[*Series]map[int]bool{}
	for _, l := range sorted[:n] {
		if least[l.series] == nil {
			least[l.series] = map[int]bool{}
		}
		least[l.series][l.index] = true
	}
	for _, l := range lines {
		if least[l.series][l.index] {
			kept = append(kept, l)
		}
	}
	return kept, len(lines) - n
}

// byValue puts the largest value first and lines without one last.
func byValue(a, b line) int {
	x, y := a.number(), b.number()
	switch {
	case math.IsNaN(x) || math.IsNaN(y):
		return cmp.Compare(boolInt(math.IsNaN(x)), boolInt(math.IsNaN(y)))
	case x != y:
		return cmp.Compare(y, x)
	}
	return strings.Compare(a.name, b.name)
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
