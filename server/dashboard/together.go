package dashboard

import (
	"fmt"
	"slices"
	"strings"

	"readout/server/reading"
)

const (
	maxStats    = 6  // one line of a board
	maxTogether = 12 // lines that one panel draws and a reader can tell apart
)

// AutomaticAll makes a dashboard of topics that nobody described: first a line
// of single figures, then a panel for each topic. Topics of the same name that
// hold one number each share panels, a line for every topic. Topics keep the
// order in which they come; after 100 panels the rest is left out.
func AutomaticAll(title string, list []Subject) Dashboard {
	d := Dashboard{Title: clean(title, MaxTitle), Window: DefaultWindow, Panels: []Panel{}}
	if d.Title == "" {
		d.Title = "Topics"
	}
	groups := groupsOf(list)
	d.Panels = append(d.Panels, figures(groups)...)
	for _, g := range groups {
		d.Panels = append(d.Panels, g.panels()...)
	}
	if len(d.Panels) > MaxPanels {
		d.Panels = slices.Clip(d.Panels[:MaxPanels])
	}
	if n := len(d.Panels); n > 0 {
		if last := &d.Panels[n-1]; len(groups) == 1 && last.Kind != Stat { // alone it may be as wide as the board
			last.Width = MaxWidth
		}
	}
	return d
}

// group is subjects that can be drawn together.
type group []Subject

// groupsOf puts the topics of one name that hold one number of one unit together.
func groupsOf(list []Subject) []group {
	var groups []group
	place := map[string]int{}
	for _, s := range list {
		if len(s.Columns) != 1 || isState(s.Columns[0], value(s.Last, 0)) {
			groups = append(groups, group{s})
			continue
		}
		c := s.Columns[0]
		key := strings.Join([]string{s.Topic.Name(), c.Name, c.Unit, c.Kind}, "\x00")
		if at, ok := place[key]; ok {
			groups[at] = append(groups[at], s)
			continue
		}
		place[key] = len(groups)
		groups = append(groups, group{s})
	}
	return groups
}

// panels draws a group; more lines than a reader can tell apart go to further panels.
func (g group) panels() []Panel {
	if len(g) == 1 {
		return []Panel{Automatic(g[0].Topic, g[0].Columns, g[0].Last)}
	}
	shared := sharedLabels(g)
	name, err := reading.NewTopic(g[0].Topic.Name(), shared...)
	if err != nil {
		name = reading.Topic(g[0].Topic.Name())
	}
	chunks := slices.Collect(slices.Chunk(g, maxTogether))
	panels := make([]Panel, 0, len(chunks))
	for i, chunk := range chunks {
		p := Automatic(chunk[0].Topic, chunk[0].Columns, chunk[0].Last)
		p.Title = Automatic(name, chunk[0].Columns, nil).Title
		if len(chunks) > 1 {
			p.Title = clean(p.Title, MaxTitle-20) + fmt.Sprintf(", %d of %d", i+1, len(chunks))
		}
		p.Topics = p.Topics[:0]
		for _, s := range chunk {
			p.Topics = append(p.Topics, string(s.Topic))
		}
		panels = append(panels, p)
	}
	return panels
}

// sharedLabels returns the labels that all topics of a group have.
func sharedLabels(g group) []reading.Label {
	shared := g[0].Topic.Labels()
	for _, s := range g[1:] {
		labels := s.Topic.Labels()
		shared = slices.DeleteFunc(shared, func(l reading.Label) bool { return !slices.Contains(labels, l) })
	}
	return shared
}

// figures returns the line of single figures above the panels: one for each
// group, or for the columns of the only one. There is none for a topic of one
// value, whose panel says the same, nor for more groups than fit in a line.
func figures(groups []group) []Panel {
	var stats []Panel
	if len(groups) == 1 && len(groups[0]) == 1 {
		s := groups[0][0]
		for i, c := range s.Columns {
			stats = appendStat(stats, s, i, c)
		}
		if len(stats) < 2 {
			return nil
		}
	} else if len(groups) <= maxStats {
		for _, g := range groups {
			if len(g) == 1 && len(g[0].Columns) > 0 {
				stats = appendStat(stats, g[0], 0, g[0].Columns[0])
			}
		}
	}
	return stats[:min(len(stats), maxStats)]
}

func appendStat(stats []Panel, s Subject, i int, c reading.Column) []Panel {
	if isState(c, value(s.Last, i)) {
		return stats
	}
	p := Automatic(s.Topic, []reading.Column{c}, []reading.Value{value(s.Last, i)})
	p.Kind, p.Columns, p.Min, p.Max, p.Width, p.Height = Stat, []string{c.Name}, nil, nil, 0, 0
	p.measure()
	return append(stats, p)
}
