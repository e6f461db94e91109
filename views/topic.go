package views

import (
	"slices"
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

// picture is the automatic panel of the topic, made ready.
func (v *TopicView) picture() picture {
	panel := v.Panel
	panel.Series = []*Series{&v.Series}
	if panel.Title == "" {
		panel.Title = string(v.Topic)
	}
	return draw(panel, v.Now, v.Span)
}

// everything is the topic with all its values, whatever its panel draws.
func (v *TopicView) everything() picture { return rowOf(&v.Series, v.Now, v.Span) }

// changeText stands beside the hero: which of several values it is, and its move.
func (p picture) changeText(hero line) string {
	text := hero.change(p.ended(), p.span)
	if len(p.lines)+len(p.words) > 1 {
		if text == "" {
			return hero.name
		}
		return hero.name + ", " + text
	}
	return text
}

// kind says in words what the topic's values are.
func (p picture) kind() string {
	hero, ok := p.hero()
	switch {
	case !ok || p.state == "empty":
		return "not known yet"
	case len(p.lines) > 0 && len(p.words) > 0:
		return "numbers and states"
	case hero.state:
		return "state"
	}
	kind := "number"
	if len(p.lines) > 1 {
		kind = "numbers"
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
func (s Series) newest(n int) []Row {
	rows := slices.Clone(s.Rows[max(0, len(s.Rows)-n):])
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
	if len(p.words) == 0 {
		return nil
	}
	var changes []change
	first := p.words[0]
	for _, row := range first.series.Rows {
		if first.index >= len(row.Values) {
			continue
		}
		v := row.Values[first.index]
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
