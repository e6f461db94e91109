package views

import (
	"slices"
	"strconv"
	"strings"

	"readout/server/reading"
)

// rhythm says how often readings come.
func rhythm(s Series) string {
	if s.Interval <= 0 {
		return "on change"
	}
	return "every " + interval(s.Interval)
}

// rateText says how often readings come, as a count and as a rhythm.
func rateText(s Series) string {
	switch {
	case len(s.Rows) == 0:
		return noValue
	case s.Rate <= 0:
		return rhythm(s)
	}
	return rate(s.Rate) + ", " + rhythm(s)
}

// note says beside a panel's number how often it comes, or which of several
// values it is.
func (p picture) note(hero line) string {
	if len(p.Columns) < 2 {
		return rhythm(p.Series)
	}
	return hero.Name + ", " + strconv.Itoa(len(p.Columns)) + " values"
}

// kind says in words what the topic's values are.
func (p picture) kind() string {
	hero, ok := p.hero()
	switch {
	case !ok || p.fresh.state == "empty":
		return "not known yet"
	case len(p.lines) > 0 && len(p.states) > 0:
		return "numbers and states"
	case hero.state:
		return "state"
	}
	kind := "number"
	if len(p.lines) > 1 {
		kind = "numbers"
	}
	if hero.Kind == "counter" {
		kind = "counter"
	}
	whole := true
	for _, l := range p.lines {
		whole = whole && l.whole
	}
	if whole {
		kind += ", whole"
	}
	return kind
}

func columnNames(columns []reading.Column) string {
	if len(columns) == 0 {
		return noValue
	}
	const most = 8
	names := make([]string, 0, most+1)
	for i, c := range columns {
		if i == most {
			names = append(names, "+ "+decimal(float64(len(columns)-most), 0)+" more")
			break
		}
		names = append(names, c.Name)
	}
	return strings.Join(names, ", ")
}

// newest returns the last n rows, newest first.
func (p picture) newest(n int) []Row {
	rows := slices.Clone(p.Rows[max(0, len(p.Rows)-n):])
	slices.Reverse(rows)
	return rows
}

// valueText prints one value in full: tables are for those who want to know.
func valueText(v reading.Value) string {
	if v.Kind() == reading.None {
		return noValue
	}
	return strings.Replace(v.String(), "-", minusSign, 1)
}

// change is a time in which a state stayed the same.
type change struct {
	text          string
	since, lasted int64 // ms
}

// changes returns the last n changes of the first state, newest first.
func (p picture) changes(n int) []change {
	if len(p.states) == 0 {
		return nil
	}
	var changes []change
	for _, row := range p.Rows {
		if p.states[0].index >= len(row.Values) {
			continue
		}
		v := row.Values[p.states[0].index]
		if v.Kind() == reading.None {
			continue
		}
		text := v.String()
		if last := len(changes) - 1; last < 0 || changes[last].text != text {
			if last >= 0 {
				changes[last].lasted = row.Time - changes[last].since
			}
			changes = append(changes, change{text: text, since: row.Time})
		}
	}
	if last := len(changes) - 1; last >= 0 {
		changes[last].lasted = p.now - changes[last].since
	}
	changes = changes[max(0, len(changes)-n):]
	slices.Reverse(changes)
	return changes
}
