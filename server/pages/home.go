package pages

import (
	"cmp"
	"net/http"
	"slices"

	"readout/server/dashboard"
	"readout/server/reading"
	"readout/views"
)

// Home serves GET /.
func (p *Pages) Home(w http.ResponseWriter, r *http.Request) error {
	known := p.o.Topics(p.listed(r, false, func(reading.Topic) bool { return true }))
	var topics, own []reading.Topic
	for _, topic := range known {
		if p.o.Own(topic) {
			own = append(own, topic)
		} else {
			topics = append(topics, topic)
		}
	}
	if len(topics) > 0 { // what this machine says of itself does not end the first run
		topics = append(topics, own...)
	}
	topics = topics[:min(len(topics), homeTopics)]
	v := views.HomeView{Page: p.page(r), Own: kinsOf(own), Total: len(known)}
	var headlines []dashboard.Panel
	items := p.o.Dashboards.List()
	slices.SortStableFunc(items, func(a, b dashboard.Item) int { return cmp.Compare(placeOf(a.Slug), placeOf(b.Slug)) })
	for _, item := range items {
		if item.Slug == "" {
			continue // a file whose name cannot be an address; the list of dashboards says so
		}
		d, broken, _ := p.o.Dashboards.Get(item.Slug)
		v.Dashboards = append(v.Dashboards, views.Card{
			Slug: item.Slug, Title: item.Title, Panels: item.Panels, BuiltIn: item.BuiltIn, Broken: broken.String(),
		})
		figure := dashboard.Panel{Kind: dashboard.Text} // none
		if len(headlines) < homeHeadlines {
			figure = headline(d.Panels)
		}
		headlines = append(headlines, figure)
	}
	l, err := p.load(r, headlines, topics, usualSpan)
	if err != nil {
		return err
	}
	for i := range v.Dashboards {
		v.Dashboards[i].Panel = l.panels[i]
	}
	for _, topic := range topics {
		v.Topics = append(v.Topics, *l.feed(topic))
	}
	v.Feeds, v.Window = l.feeds, usualSpan.Milliseconds()
	v.Span = covering(l.began, v.Now, usualSpan).Milliseconds()
	return render(w, r, http.StatusOK, views.HomePage(v))
}

// placeOf puts what a viewer looks for first: the machine, then the dashboards of
// files by their titles, then Readout itself.
func placeOf(slug string) int {
	switch slug {
	case "machine":
		return 0
	case "readout":
		return 2
	}
	return 1
}

// kinsOf widens topics to those that appear beside them later: another process,
// another disk of the same machine. The labels that say who measured stay.
func kinsOf(topics []reading.Topic) []string {
	kins := make([]string, len(topics))
	for i, topic := range topics {
		kins[i] = topic.Kin("host", "replica")
	}
	slices.Sort(kins)
	return slices.Compact(kins)
}

// headline is the panel whose figure stands for a dashboard: its first stat or
// gauge, else the first that draws lines; none for a dashboard of words.
func headline(panels []dashboard.Panel) dashboard.Panel {
	for _, kinds := range [...][]dashboard.Kind{{dashboard.Stat, dashboard.Gauge}, {dashboard.Auto, dashboard.Line, dashboard.Area, dashboard.Stacked, dashboard.Bars}} {
		for _, panel := range panels {
			if slices.Contains(kinds, panel.Kind) {
				panel.Kind = dashboard.Stat
				return panel
			}
		}
	}
	return dashboard.Panel{Kind: dashboard.Text}
}
