package pages

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"readout/server/dashboard"
	"readout/server/problem"
	"readout/server/reading"
	"readout/views"
)

// Bounds of one board.
const (
	panelTopics    = 50  // topics that one panel reads
	boardTopics    = 300 // topics that all of them read
	matchSelectors = 20  // selectors of a dashboard that is made of them
	matchPanels    = 60  // topics of it
	usualSpan      = 5 * time.Minute
	longestSpan    = 744 * time.Hour
	shortestSpan   = time.Minute
)

// Dashboard serves GET /d/{slug}: a dashboard with its readings of now.
func (p *Pages) Dashboard(w http.ResponseWriter, r *http.Request) error {
	o, err := boardOptions(r, "window", "view", "theme")
	if err != nil {
		return err
	}
	d, broken, ok := p.o.Dashboards.Get(r.PathValue("slug"))
	switch {
	case !ok:
		return problem.New("not_found", "there is no dashboard %s", reading.Quote(r.PathValue("slug")))
	case d.Version == "": // its file was never a document
		return problem.New("bad_dashboard", "%s", broken.String())
	}
	v := views.DashboardView{
		Slug: d.Slug, Version: d.Version, Title: d.Title, Description: d.Description, BuiltIn: d.BuiltIn,
		Broken: broken.String(), View: o.view, Theme: o.theme,
	}
	return p.board(w, r, v, d.Panels, o, d.Window)
}

// Match serves GET /d?match=: a dashboard of whatever one or several selectors match.
func (p *Pages) Match(w http.ResponseWriter, r *http.Request) error {
	texts := r.URL.Query()["match"]
	rest := r.Clone(r.Context())
	query := rest.URL.Query()
	query.Del("match")
	rest.URL.RawQuery = query.Encode()
	o, err := boardOptions(rest, "window", "view", "theme")
	if err != nil {
		return err
	}
	switch {
	case len(texts) == 0 || texts[0] == "":
		return problem.New("bad_request", "match is missing: /d?match=cpu{*}")
	case len(texts) > matchSelectors:
		return problem.New("bad_request", "match is given %d times; at most %d are allowed", len(texts), matchSelectors)
	}
	topics, err := p.matching(r, texts)
	if err != nil {
		return err
	}
	title := strings.Join(texts, ", ")
	v := views.DashboardView{Title: title, Match: title, Matching: len(topics), View: o.view, Theme: o.theme}
	topics = topics[:min(len(topics), matchPanels)]
	latest, err := p.o.Latest(r.Context(), topics, 1)
	if err != nil {
		return err
	}
	subjects := make([]dashboard.Subject, len(topics))
	for i, topic := range topics {
		subjects[i] = dashboard.Subject{Topic: topic, Columns: p.o.Columns(topic)}
		if n := len(latest[i]); n > 0 {
			s := p.one(topic, reading.History{Entries: latest[i]}, sparkRows)
			subjects[i].Columns, subjects[i].Last = s.Columns, lastOf(s)
		}
	}
	return p.board(w, r, v, dashboard.AutomaticAll(title, subjects).Panels, o, usualSpan)
}

// matching returns the topics that any of the selectors match, in the order of
// the selectors. One that is named exactly is shown, be it hidden or new.
func (p *Pages) matching(r *http.Request, texts []string) ([]reading.Topic, error) {
	var topics []reading.Topic
	seen := map[reading.Topic]bool{}
	for _, text := range texts {
		selector, err := reading.ParseSelector(text)
		if err != nil {
			return nil, err
		}
		found := []reading.Topic{}
		if topic, one := selector.Topic(); one {
			if err := p.o.Can(r, topic); err != nil {
				return nil, err
			}
			found = append(found, topic)
		} else {
			found = p.o.Topics(p.listed(r, false, selector.Match))
		}
		for _, topic := range found {
			if !seen[topic] {
				seen[topic] = true
				topics = append(topics, topic)
			}
		}
	}
	return topics, nil
}

// board loads what the panels show and renders the page. usual is its window
// when the address asks for none.
func (p *Pages) board(w http.ResponseWriter, r *http.Request, v views.DashboardView, panels []dashboard.Panel, o asked, usual time.Duration) error {
	window := o.spanOr(usual)
	loaded, err := p.load(r, panels, nil, window)
	if err != nil {
		return err
	}
	v.Page, v.Panels, v.Feeds = p.page(r), loaded.panels, loaded.feeds
	v.Span, v.Window, v.Kept = window.Milliseconds(), window.Milliseconds(), p.o.Retention.Milliseconds()
	if o.span == 0 {
		v.Span = covering(loaded.began, v.Now, window).Milliseconds()
	}
	if v.View == "embed" {
		p.o.Frameable(w)
	}
	return render(w, r, http.StatusOK, views.DashboardPage(v))
}

// asked is the query of a board.
type asked struct {
	span        time.Duration
	view, theme string
}

func (o asked) spanOr(usual time.Duration) time.Duration {
	if o.span > 0 {
		return o.span
	}
	return usual
}

// boardOptions reads the query of a board. A parameter that it does not know is
// refused, so that a misspelt one is not passed over in silence.
func boardOptions(r *http.Request, known ...string) (asked, error) {
	o := asked{theme: "auto"}
	q, err := readQuery(r, known...)
	if err != nil {
		return o, err
	}
	if text, given := q["window"]; given {
		if o.span, err = readSpan(text); err != nil {
			return o, err
		}
	}
	switch view := q["view"]; view {
	case "", "wall", "embed":
		o.view = view
	default:
		return o, problem.New("bad_request", "view has no %s; use wall or embed", reading.Quote(view))
	}
	switch theme := q["theme"]; theme {
	case "":
	case "light", "dark", "auto":
		o.theme = theme
	default:
		return o, problem.New("bad_request", "theme has no %s; use light, dark or auto", reading.Quote(theme))
	}
	return o, nil
}

// readSpan reads ?window=: 15m, 1h30m, 7d.
func readSpan(text string) (time.Duration, error) {
	span, ok := parseSpan(text)
	if !ok || span < shortestSpan || span > longestSpan {
		return 0, problem.New("bad_request", "window is %s; use 1m to 31d, such as 15m, 6h or 7d", reading.Quote(text))
	}
	return span, nil
}

// loaded is what panels show, ready for their view.
type loaded struct {
	panels []views.Panel
	feeds  []views.Series // each topic once; panels point into it
	at     map[reading.Topic]int
	began  int64 // ms: the oldest reading of the window whose course somebody draws; 0 without one
	proses *proses
}

func (l *loaded) feed(topic reading.Topic) *views.Series { return &l.feeds[l.at[topic]] }

// load finds the topics that panels name and match, reads all of them in one trip
// to the store, and makes each panel ready. more are topics to read besides.
func (p *Pages) load(r *http.Request, panels []dashboard.Panel, more []reading.Topic, span time.Duration) (*loaded, error) {
	found := p.find(r, panels)
	l := &loaded{at: map[reading.Topic]int{}, proses: &p.proses}
	var topics []reading.Topic
	var deep []bool // beside topics: somebody draws its course
	want := func(topic reading.Topic, course bool) bool {
		at, known := l.at[topic]
		if !known {
			if len(topics) >= boardTopics {
				return false
			}
			at = len(topics)
			l.at[topic] = at
			topics, deep = append(topics, topic), append(deep, false)
		}
		deep[at] = deep[at] || course
		return true
	}
	// A topic for each panel in turn, so that the first panels do not take all there
	// is room for and leave the last ones looking as if nothing matched.
	taken := make([][]reading.Topic, len(found))
	for turn := range panelTopics {
		for i, f := range found {
			if turn < len(f.topics) && want(f.topics[turn], draws(panels[i].Kind)) {
				taken[i] = append(taken[i], f.topics[turn])
			}
		}
	}
	for i := range found {
		found[i].topics = taken[i]
	}
	for _, topic := range more {
		want(topic, true)
	}
	feeds, err := p.read(r.Context(), topics, deep, span)
	if err != nil {
		return nil, err
	}
	l.feeds = feeds
	from := time.Now().Add(-span).UnixMilli()
	for i := range feeds {
		if began := beganSince(feeds[i].Rows, from); deep[i] && began > 0 && (l.began == 0 || began < l.began) {
			l.began = began
		}
	}
	l.panels = make([]views.Panel, len(panels))
	for i, panel := range panels {
		if l.panels[i], err = l.panel(panel, found[i]); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// draws says whether a panel shows the course of its topics and not only their
// newest readings.
func draws(kind dashboard.Kind) bool {
	switch kind {
	case dashboard.Gauge, dashboard.Bars, dashboard.Table, dashboard.Text:
		return false
	default:
		return true
	}
}

// matched is what one panel shows.
type matched struct {
	topics    []reading.Topic
	all       int  // before any bound
	forbidden bool // it names topics, and none of them may be seen
}

// find matches the selectors of all panels against the catalog in one pass. A
// topic that is named exactly is shown whether or not it is known or hidden.
func (p *Pages) find(r *http.Request, panels []dashboard.Panel) []matched {
	type wild struct {
		reading.Selector
		prefix       string
		panel, place int
	}
	var selectors []wild
	byPlace := make([][][]reading.Topic, len(panels)) // of each panel, of each of its selectors
	found := make([]matched, len(panels))
	for i, panel := range panels {
		list := panel.Selectors()
		byPlace[i] = make([][]reading.Topic, len(list))
		named, refused := 0, 0
		for place, s := range list {
			topic, one := s.Topic()
			if !one {
				selectors = append(selectors, wild{s, beginning(s.String()), i, place})
				continue
			}
			if named++; p.o.Can(r, topic) != nil {
				refused++
				continue
			}
			byPlace[i][place] = []reading.Topic{topic}
		}
		found[i].forbidden = named > 0 && named == refused && named == len(list)
	}
	if len(selectors) > 0 {
		any := func(topic reading.Topic) bool {
			return slices.ContainsFunc(selectors, func(w wild) bool { return strings.HasPrefix(string(topic), w.prefix) && w.Match(topic) })
		}
		for _, topic := range p.o.Topics(p.listed(r, false, any)) {
			for _, w := range selectors {
				if strings.HasPrefix(string(topic), w.prefix) && w.Match(topic) {
					byPlace[w.panel][w.place] = append(byPlace[w.panel][w.place], topic)
				}
			}
		}
	}
	for i := range panels {
		seen := map[reading.Topic]bool{}
		for _, topics := range byPlace[i] {
			for _, topic := range topics {
				if !seen[topic] {
					seen[topic] = true
					found[i].topics = append(found[i].topics, topic)
				}
			}
		}
		found[i].all = len(found[i].topics)
	}
	return found
}

// beginning is what every topic that a selector matches begins with.
func beginning(selector string) string {
	name, _, _ := strings.Cut(selector, "{")
	name, _, _ = strings.Cut(name, "*")
	return name
}

// listed narrows a match to what lists show: what the viewer may see, without
// the topics that somebody has hidden. It matches nothing more once the viewer is gone.
func (p *Pages) listed(r *http.Request, hidden bool, match func(reading.Topic) bool) func(reading.Topic) bool {
	return func(t reading.Topic) bool {
		return r.Context().Err() == nil && match(t) && (hidden || !p.o.API.Hidden(t)) && p.o.Can(r, t) == nil
	}
}

// panel makes one panel ready for its view.
func (l *loaded) panel(panel dashboard.Panel, found matched) (views.Panel, error) {
	var series []*views.Series
	var heard *views.Series
	for _, topic := range found.topics {
		s := l.feed(topic)
		series = append(series, s)
		if heard == nil && len(s.Rows) > 0 {
			heard = s
		}
	}
	switch {
	case panel.Kind == dashboard.Text:
	case heard != nil:
		panel = panel.Fill(heard.Topic, heard.Columns, lastOf(*heard))
	case panel.Kind == dashboard.Auto:
		panel.Kind = dashboard.Line
	}
	v, err := l.proses.toView(panel)
	if err != nil {
		return v, err
	}
	v.Series, v.Matching = series, found.all
	switch {
	case panel.Kind == dashboard.Text:
	case found.forbidden:
		v.Problem = &views.Problem{State: "forbidden", Title: "Not yours to see", Text: "Your token may not read the topics of this panel. Ask the owner of this dashboard for more."}
	case heard == nil:
		v.Problem = &views.Problem{State: "empty", Title: "Nothing matches", About: strings.Join(panel.Topics, ", "), Text: "has no readings. Send one and it appears here."}
	}
	return v, nil
}

// toView turns a panel of a document into one of a page.
func (c *proses) toView(panel dashboard.Panel) (views.Panel, error) {
	config, err := json.Marshal(panel)
	if err != nil {
		return views.Panel{}, err
	}
	v := views.Panel{
		Title: panel.Title, Note: panel.Note, Kind: string(panel.Kind), Columns: panel.Columns, Unit: panel.Unit, Decimals: panel.Decimals,
		Min: panel.Min, Max: panel.Max, Names: panel.Names, Legend: panel.Legend, Limit: panel.Limit, Link: panel.Link,
		Width: panel.Width, Height: panel.Height, Config: string(config),
	}
	for _, t := range panel.Thresholds {
		v.Thresholds = append(v.Thresholds, views.Threshold{At: t.At, Level: t.Level, Below: t.Below, Name: t.Name})
	}
	if panel.Kind == dashboard.Text {
		v.Prose, err = c.html(panel.Text)
	}
	return v, err
}

// lastOf returns the newest value of each column, which the newest row may lack.
func lastOf(s views.Series) []reading.Value {
	last := make([]reading.Value, len(s.Columns))
	for i := range last {
		for _, row := range slices.Backward(s.Rows) {
			if row.Values[i].Kind() != reading.None {
				last[i] = row.Values[i]
				break
			}
		}
	}
	return last
}

// read reads what boards and lists show of topics. Those of which somebody draws
// the course are read back to the beginning of the window, the others only for
// their newest readings.
func (p *Pages) read(ctx context.Context, topics []reading.Topic, deep []bool, span time.Duration) ([]views.Series, error) {
	series := make([]views.Series, len(topics))
	for _, course := range [...]bool{true, false} {
		var some []reading.Topic
		var places []int
		for i, topic := range topics {
			if deep[i] == course {
				some, places = append(some, topic), append(places, i)
			}
		}
		n := newestEntries
		if course {
			n = entriesFor(span)
		}
		histories, err := p.o.Histories(ctx, some, n)
		if err != nil {
			return nil, err
		}
		if course {
			if err := p.deepen(ctx, some, histories, n, span); err != nil {
				return nil, err
			}
		}
		most := rowsOf(len(some))
		for i, at := range places {
			series[at] = p.within(some[i], histories[i], most, span)
		}
	}
	return series, nil
}
