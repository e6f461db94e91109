package views

import (
	"slices"
	"strings"

	"readout/server/reading"
)

// lineNames names the lines of a panel by what tells them apart: the topics'
// names, the values of the labels that differ, and the columns, each only where
// it differs. Where nothing does, a column says what it is, but one called value
// says nothing, and a list of things names the thing. The same rule stands in
// static/src; testdata/names.json holds both.
func lineNames(topics []reading.Topic, columns []string, names map[string]string, things bool) []string {
	differ := func(of func(i int) string) bool {
		for i := range topics {
			if of(i) != of(0) {
				return true
			}
		}
		return false
	}
	labels := make([]map[string]string, len(topics))
	var known []string
	for i, t := range topics {
		labels[i] = map[string]string{}
		for _, l := range t.Labels() {
			labels[i][l.Name] = l.Value
			if !slices.Contains(known, l.Name) {
				known = append(known, l.Name)
			}
		}
	}
	slices.Sort(known)
	telling := slices.DeleteFunc(known, func(name string) bool {
		return !differ(func(i int) string { return labels[i][name] })
	})
	topicsDiffer := differ(func(i int) string { return topics[i].Name() })
	columnsDiffer := differ(func(i int) string { return columns[i] })
	text := make([]string, len(topics))
	for i, t := range topics {
		var parts []string
		if topicsDiffer {
			parts = append(parts, t.Name())
		}
		for _, name := range telling {
			if value := labels[i][name]; value != "" {
				parts = append(parts, value)
			}
		}
		if columnsDiffer || len(parts) == 0 {
			column, given := names[columns[i]]
			switch {
			case given:
			case !columnsDiffer && (things || columns[i] == reading.DefaultValue):
				column = thing(t)
			default:
				column = columns[i]
			}
			parts = append(parts, column)
		}
		text[i] = strings.Join(parts, ", ")
	}
	return text
}

// thing is what a topic is about: the values of its labels, but for the host,
// which says where; without labels its name.
func thing(t reading.Topic) string {
	var values []string
	for _, l := range t.Labels() {
		if l.Name != "host" {
			values = append(values, l.Value)
		}
	}
	if len(values) == 0 {
		return t.Name()
	}
	return strings.Join(values, ", ")
}

// nameLines gives lines their names.
func (p *picture) nameLines(lines []line) {
	topics, columns := make([]reading.Topic, len(lines)), make([]string, len(lines))
	for i, l := range lines {
		topics[i], columns[i] = l.series.Topic, l.Name
	}
	for i, name := range lineNames(topics, columns, p.Names, p.Kind == "bars" || p.Kind == "timeline") {
		lines[i].name = name
	}
}
