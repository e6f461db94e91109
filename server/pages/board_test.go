package pages

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"readout/server/dashboard"
	"readout/server/reading"
	"readout/views"
)

// shelf is a store in memory for pages: what is known and what was read.
type shelf struct {
	entries map[reading.Topic][]reading.Entry
	columns map[reading.Topic][]reading.Column
	refused map[reading.Topic]bool
	hidden  map[reading.Topic]bool
	trips   int
	asked   map[reading.Topic]int // entries that were asked for
}

func newShelf() *shelf {
	return &shelf{
		entries: map[reading.Topic][]reading.Entry{}, columns: map[reading.Topic][]reading.Column{},
		refused: map[reading.Topic]bool{}, hidden: map[reading.Topic]bool{}, asked: map[reading.Topic]int{},
	}
}

// fill gives a topic n readings a second apart, the last one now.
func (s *shelf) fill(topic reading.Topic, n int, columns []reading.Column, value func(i int) float64) {
	now := time.Now().UnixMilli()
	s.columns[topic] = columns
	for i := range n {
		r := reading.Reading{Topic: topic, Time: now - int64(n-1-i)*1000}
		for c, column := range columns {
			r.Values = append(r.Values, reading.Named{Name: column.Name, Value: reading.NumberOf(value(i) * float64(c+1))})
		}
		s.entries[topic] = append(s.entries[topic], reading.Entry{
			Cursor: reading.Cursor{ID: reading.StreamID{Ms: uint64(r.Time)}}, Readings: []reading.Reading{r},
		})
	}
}

func (s *shelf) pages(t testing.TB, dir string) *Pages {
	t.Helper()
	library, err := dashboard.NewLibrary(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	newest := func(topic reading.Topic, n int) []reading.Entry {
		entries := s.entries[topic]
		return entries[max(0, len(entries)-n):]
	}
	history := func(topic reading.Topic, n int) reading.History {
		h := reading.History{Entries: newest(topic, n)}
		if len(h.Entries) > 0 {
			h.End = h.Entries[len(h.Entries)-1].Cursor
		}
		return h
	}
	return New(Options{
		Latest: func(_ context.Context, topics []reading.Topic, n int) ([][]reading.Entry, error) {
			list := make([][]reading.Entry, len(topics))
			for i, topic := range topics {
				list[i] = newest(topic, n)
			}
			return list, nil
		},
		Histories: func(_ context.Context, topics []reading.Topic, n int) ([]reading.History, error) {
			if len(topics) > 0 {
				s.trips++
			}
			list := make([]reading.History, len(topics))
			for i, topic := range topics {
				s.asked[topic] = n
				list[i] = history(topic, n)
			}
			return list, nil
		},
		Recent: func(_ context.Context, topic reading.Topic, limit int) (reading.History, error) {
			return history(topic, limit), nil
		},
		Topics: func(match func(reading.Topic) bool) []reading.Topic {
			var topics []reading.Topic
			for topic := range s.entries {
				if match(topic) {
					topics = append(topics, topic)
				}
			}
			slices.Sort(topics)
			return topics
		},
		Columns: func(topic reading.Topic) []reading.Column { return slices.Clone(s.columns[topic]) },
		Can: func(_ *http.Request, topic reading.Topic) error {
			if s.refused[topic] {
				return errors.New("not yours")
			}
			return nil
		},
		Base:       func(*http.Request) string { return "http://localhost" },
		Key:        func(topic reading.Topic) string { return string(topic) },
		Frameable:  func(http.ResponseWriter) {},
		Own:        func(reading.Topic) bool { return false },
		Dashboards: library,
		API: API{
			Range: func(_ context.Context, topic reading.Topic, from, _ int64, _ int) (reading.History, error) {
				h := reading.History{Entries: s.entries[topic]}
				h.Entries = slices.DeleteFunc(slices.Clone(h.Entries), func(e reading.Entry) bool { return e.Readings[0].Time < from })
				return h, nil
			},
			Hidden: func(topic reading.Topic) bool { return s.hidden[topic] },
			Manage: func(*http.Request, reading.Topic) error { return nil },
		},
	})
}

var (
	request = httptest.NewRequest(http.MethodGet, "/d/shop", nil)
	plain   = []reading.Column{{Name: "value", Kind: reading.Gauge}}
)

func load(t testing.TB, s *shelf, panels ...dashboard.Panel) *loaded {
	t.Helper()
	l, err := s.pages(t, "").load(request, panels, nil, usualSpan)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func topicsOf(p views.Panel) string {
	var topics []string
	for _, s := range p.Series {
		topics = append(topics, string(s.Topic))
	}
	return strings.Join(topics, " ")
}

func TestPanelsPickTheirTopics(t *testing.T) {
	s := newShelf()
	for _, shop := range []string{"berlin", "paris", "rome", "secret"} {
		s.fill(reading.Topic(`orders{shop="`+shop+`"}`), 20, plain, func(i int) float64 { return float64(i) })
	}
	s.fill("sessions", 20, plain, func(i int) float64 { return float64(i) })
	s.hidden[`orders{shop="rome"}`] = true
	s.refused[`orders{shop="secret"}`] = true
	for _, c := range []struct {
		topics []string
		want   string
		state  string
	}{
		{[]string{"orders{*}"}, `orders{shop="berlin"} orders{shop="paris"}`, ""},
		{[]string{`orders{shop="rome"}`}, `orders{shop="rome"}`, ""}, // named exactly: hidden ones too
		{[]string{"sessions", "orders{shop=*}"}, `sessions orders{shop="berlin"} orders{shop="paris"}`, ""},
		{[]string{`orders{shop="paris"}`, "*"}, `orders{shop="paris"} orders{shop="berlin"} sessions`, ""}, // in the order of the document, each once
		{[]string{`orders{shop="secret"}`}, "", "forbidden"},
		{[]string{`orders{shop="secret"}`, "sessions"}, "sessions", ""},
		{[]string{"payments_*"}, "", "empty"},
		{[]string{"payments"}, "payments", "empty"},
	} {
		p := load(t, s, dashboard.Panel{Title: "x", Kind: dashboard.Line, Topics: c.topics}).panels[0]
		if got := topicsOf(p); got != c.want {
			t.Errorf("%v shows %q, want %q", c.topics, got, c.want)
		}
		state := ""
		if p.Problem != nil {
			state = p.Problem.State
			if strings.Contains(p.Problem.Text+p.Problem.Title+p.Problem.About, "secret") {
				t.Errorf("%v tells of a topic that may not be seen: %+v", c.topics, *p.Problem)
			}
		}
		if state != c.state {
			t.Errorf("%v has the state %q, want %q", c.topics, state, c.state)
		}
	}
}

func TestBoardReadsEachTopicOnce(t *testing.T) {
	s := newShelf()
	for i := range 30 {
		s.fill(reading.Topic(fmt.Sprintf(`cpu{host="%02d"}`, i)), 900, plain, func(i int) float64 { return float64(i % 50) })
	}
	l := load(t, s,
		dashboard.Panel{Title: "a", Kind: dashboard.Line, Topics: []string{"cpu{*}"}},
		dashboard.Panel{Title: "b", Kind: dashboard.Stat, Topics: []string{`cpu{host="01"}`}},
		dashboard.Panel{Title: "c", Kind: dashboard.Bars, Topics: []string{"cpu{*}"}},
	)
	if s.trips != 1 {
		t.Errorf("%d trips to the store, want 1", s.trips)
	}
	if len(l.feeds) != 30 {
		t.Errorf("%d feeds, want 30", len(l.feeds))
	}
	for _, f := range l.feeds {
		if len(f.Rows) > 2*boardRows || len(f.Rows) < 50 {
			t.Errorf("%s has %d rows", f.Topic, len(f.Rows))
		}
	}
	// What nobody draws over time is read for its newest values only.
	s = newShelf()
	s.fill("orders", 900, plain, func(i int) float64 { return float64(i) })
	load(t, s, dashboard.Panel{Title: "c", Kind: dashboard.Bars, Topics: []string{"orders"}})
	if s.asked["orders"] != newestEntries {
		t.Errorf("bars read %d entries", s.asked["orders"])
	}
}

func TestBoardShowsRates(t *testing.T) {
	s := newShelf()
	s.fill("network", 60, []reading.Column{{Name: "received", Unit: "bytes", Kind: reading.Counter}}, func(i int) float64 { return float64(i) * 500 })
	f := load(t, s, dashboard.Panel{Title: "a", Kind: dashboard.Line, Topics: []string{"network"}}).feeds[0]
	if c := f.Columns[0]; c.Unit != "bytes/s" || c.Kind != reading.Gauge {
		t.Errorf("the counter is shown as %+v", c)
	}
	if n, ok := f.Rows[len(f.Rows)-1].Values[0].Number(); !ok || n != 500 {
		t.Errorf("its rate is %v, want 500", n)
	}
}

// TestWindow: a quick topic is read back to the beginning of the window, a peak
// survives thinning, and the last reading before the window stays.
func TestWindow(t *testing.T) {
	s := newShelf()
	now := time.Now().UnixMilli()
	for i := range 6000 { // ten a second, for ten minutes
		v := 1.0
		if i == 3100 {
			v = 99
		}
		at := now - int64(5999-i)*100
		s.entries["quick"] = append(s.entries["quick"], reading.Entry{
			Cursor:   reading.Cursor{ID: reading.StreamID{Ms: uint64(at)}},
			Readings: []reading.Reading{{Topic: "quick", Time: at, Values: []reading.Named{{Name: "value", Value: reading.NumberOf(v)}}}},
		})
	}
	s.columns["quick"] = plain
	f := load(t, s, dashboard.Panel{Title: "a", Kind: dashboard.Line, Topics: []string{"quick"}}).feeds[0]
	from := time.Now().Add(-usualSpan).UnixMilli()
	if f.Rows[0].Time > from+2000 {
		t.Errorf("the window begins %d ms late", f.Rows[0].Time-from)
	}
	peak := 0.0
	for _, row := range f.Rows {
		n, _ := row.Values[0].Number()
		peak = max(peak, n)
	}
	if peak != 99 {
		t.Error("the peak is lost")
	}
	if len(f.Rows) > boardRows+1 {
		t.Errorf("%d rows", len(f.Rows))
	}

	s.entries["door"] = []reading.Entry{{Readings: []reading.Reading{{Topic: "door", Time: now - 3_600_000, Values: []reading.Named{{Name: "value", Value: reading.TextOf("open")}}}}}}
	door := load(t, s, dashboard.Panel{Title: "a", Kind: dashboard.Timeline, Topics: []string{"door"}}).feeds[0]
	if len(door.Rows) != 1 {
		t.Errorf("a state that lasts longer than the window has %d rows, want its last one", len(door.Rows))
	}
}

func get(t testing.TB, h func(http.ResponseWriter, *http.Request) error, address string) (string, error) {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, address, nil)
	if slug, ok := strings.CutPrefix(r.URL.Path, "/d/"); ok {
		r.SetPathValue("slug", slug)
	}
	w := httptest.NewRecorder()
	err := h(w, r)
	return w.Body.String(), err
}

func TestDashboardAddresses(t *testing.T) {
	s := newShelf()
	s.fill(`cpu{host="a"}`, 30, []reading.Column{{Name: "busy", Unit: "percent", Kind: reading.Gauge}}, func(i int) float64 { return float64(i) })
	p := s.pages(t, "")
	for _, c := range []struct {
		handler func(http.ResponseWriter, *http.Request) error
		address string
		holds   string // of the page, or of the error
		fails   bool
	}{
		{p.Dashboard, "/d/machine", `data-slug="machine"`, false},
		{p.Dashboard, "/d/machine?window=1h", `data-span="3600000"`, false},
		{p.Dashboard, "/d/machine?view=wall", `data-view="wall"`, false},
		{p.Dashboard, "/d/machine?view=embed&theme=dark", `data-theme="dark"`, false},
		{p.Dashboard, "/d/nothing", "there is no dashboard", true},
		{p.Dashboard, "/d/machine?window=2s", "use 1m to 31d", true},
		{p.Dashboard, "/d/machine?window=1h&window=2h", "given twice", true},
		{p.Dashboard, "/d/machine?view=desk", "use wall or embed", true},
		{p.Dashboard, "/d/machine?theme=pink", "use light, dark or auto", true},
		{p.Dashboard, "/d/machine?colour=red", "no parameter", true},
		{p.Match, "/d?match=cpu{*}", "matches 1 topic", false},
		{p.Match, "/d?match=cpu{*}&match=nothing_*&match=cpu{host=*}", "matches 1 topic", false},
		{p.Match, "/d?" + strings.Repeat("match=a&", 21), "at most 20", true},
		{p.Match, "/d?match=a&window=1h&window=2h", "given twice", true},
		{p.Match, "/d?match=cpu{host%3D%22new%22}", "Nothing matches", false},
		{p.Match, "/d?match=nothing_*", "Nothing matches", false},
		{p.Match, "/d", "match is missing", true},
		{p.Match, "/d?match=%7B", "", true},
		{p.Design, "/design", "there is no page", true},
	} {
		page, err := get(t, c.handler, c.address)
		switch {
		case c.fails && err == nil:
			t.Errorf("%s is served", c.address)
		case c.fails && !strings.Contains(err.Error(), c.holds):
			t.Errorf("%s: %v, want it to say %q", c.address, err, c.holds)
		case !c.fails && err != nil:
			t.Errorf("%s: %v", c.address, err)
		case !c.fails && !strings.Contains(page, c.holds):
			t.Errorf("%s does not hold %s", c.address, c.holds)
		}
	}
	p.o.Development = true
	if page, err := get(t, p.Design, "/design"); err != nil || !strings.Contains(page, "Not yours to see") {
		t.Errorf("the page of components: %v", err)
	}
}

func TestHomeLeadsToDashboards(t *testing.T) {
	s := newShelf()
	s.fill(`cpu{host="a"}`, 30, []reading.Column{{Name: "busy", Unit: "percent", Kind: reading.Gauge}}, func(int) float64 { return 37.5 })
	p := s.pages(t, "")
	p.o.Own = func(topic reading.Topic) bool { return topic.Name() == "cpu" }
	page, err := get(t, p.Home, "/")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`href="/d/machine"`, `href="/d/readout"`, "37.5", `data-home-live hidden`} {
		if !strings.Contains(page, want) {
			t.Errorf("before the first push the page does not hold %s", want)
		}
	}
	s.fill("orders", 3, plain, func(int) float64 { return 42 })
	s.fill("backstage", 3, plain, func(int) float64 { return 42 })
	s.hidden["backstage"] = true
	if page, err = get(t, p.Home, "/"); err != nil || !strings.Contains(page, `data-topic="orders"`) || !strings.Contains(page, `data-home-first hidden`) {
		t.Errorf("after the first push: %v", err)
	}
	if strings.Contains(page, "backstage") {
		t.Error("the page lists a hidden topic")
	}
}

// BenchmarkBoard renders 20 panels over 20 topics with 15 minutes of readings
// each, beside the store's read.
func BenchmarkBoard(b *testing.B) {
	s := newShelf()
	columns := []reading.Column{{Name: "user", Unit: "percent", Kind: reading.Gauge}, {Name: "system", Unit: "percent", Kind: reading.Gauge}}
	var panels []dashboard.Panel
	kinds := []dashboard.Kind{dashboard.Stat, dashboard.Line, dashboard.Stacked, dashboard.Bars, dashboard.Table}
	for i := range 20 {
		topic := fmt.Sprintf(`cpu{host="%02d"}`, i)
		s.fill(reading.Topic(topic), 900, columns, func(i int) float64 { return float64(i*7919%100) / 3 })
		panels = append(panels, dashboard.Panel{Title: topic, Kind: kinds[i%len(kinds)], Topics: []string{topic}, Width: 3, Height: 5})
	}
	for i := range 10_000 {
		s.entries[reading.Topic(fmt.Sprintf("other_%d", i))] = nil
	}
	panels[1].Topics = []string{`cpu{host=*}`}
	p := s.pages(b, "")
	for b.Loop() {
		w := httptest.NewRecorder()
		if err := p.board(w, request, views.DashboardView{Title: "Twenty"}, panels, asked{}, 15*time.Minute); err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(w.Body.Len()))
	}
}

// Many panels of many topics share what a page has room for: none of them looks
// as if nothing matched.
func TestBoardSharesItsTopics(t *testing.T) {
	s := newShelf()
	var panels []dashboard.Panel
	for i := range 20 {
		for k := range panelTopics + 10 {
			s.fill(reading.Topic(fmt.Sprintf(`shelf%02d{n="%02d"}`, i, k)), 1, plain, func(int) float64 { return 1 })
		}
		panels = append(panels, dashboard.Panel{Title: "a", Kind: dashboard.Line, Topics: []string{fmt.Sprintf("shelf%02d{*}", i)}})
	}
	l := load(t, s, panels...)
	if len(l.feeds) != boardTopics {
		t.Errorf("%d topics are read, want %d", len(l.feeds), boardTopics)
	}
	for i, panel := range l.panels {
		if len(panel.Series) != boardTopics/len(panels) || panel.Matching != panelTopics+10 || panel.Problem != nil {
			t.Errorf("panel %d shows %d of %d topics, problem %+v", i, len(panel.Series), panel.Matching, panel.Problem)
		}
	}
}

// Every reading may bring 256 names that no other has: what is made of them must
// not grow with the square of the readings.
func TestWideTopicIsBounded(t *testing.T) {
	s := newShelf()
	now := time.Now().UnixMilli()
	const topic = reading.Topic("wide")
	for i := range 100 {
		r := reading.Reading{Topic: topic, Time: now - int64(99-i)*1000}
		for k := range reading.MaxValues {
			r.Values = append(r.Values, reading.Named{Name: fmt.Sprintf("c%d_%d", i, k), Value: reading.NumberOf(float64(k))})
		}
		s.entries[topic] = append(s.entries[topic], reading.Entry{Cursor: reading.Cursor{ID: reading.StreamID{Ms: uint64(r.Time)}}, Readings: []reading.Reading{r}})
	}
	p := s.pages(t, "")
	bounded := func(what string, columns, rows, most int) {
		t.Helper()
		if columns > mostColumns || columns*rows > most || rows == 0 {
			t.Errorf("%s: %d columns in %d rows, at most %d values are allowed", what, columns, rows, most)
		}
	}
	h := reading.History{Entries: s.entries[topic]}
	page, err := p.course(t.Context(), topic, usualSpan)
	if err != nil {
		t.Fatal(err)
	}
	bounded("page", len(page.Columns), len(page.Rows), 2*boardRows*usualColumns+mostColumns) // one reading of before the window stays
	list := p.one(topic, h, sparkRows)
	bounded("list", len(list.Columns), len(list.Rows), sparkRows*usualColumns)
	export := p.stored(topic, h, exportRows)
	bounded("export", len(export.Columns), len(export.Rows), exportRows*usualColumns)
	answer := window{topic: topic, points: mostPoints}.table(h, nil)
	bounded("readings", len(answer.columns), len(answer.rows), mostCells)
	item := describe(topic, nil, h.Entries, now)
	bounded("topics", len(item.Columns), 1, mostColumns)
	if last := page.Rows[len(page.Rows)-1]; last.Time != now {
		t.Errorf("the last row is of %d, want %d", last.Time, now)
	}
}
