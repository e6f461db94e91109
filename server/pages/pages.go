// Package pages answers with pages: it loads what a page shows, builds the
// display struct and calls the view. Its handlers return errors, which the
// server turns into answers in one place.
package pages

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/a-h/templ"

	"readout/server/problem"
	"readout/server/reading"
	"readout/views"
)

const (
	chartEntries = 600             // newest entries that a topic's page shows
	chartRows    = 2000            // rows of them at most: entries may be packed
	listTopics   = 200             // topics in the list; a selector narrows it
	homeTopics   = 12              // cards on the home page
	sparkEntries = 60              // newest entries of each topic in a list
	sparkRows    = 120             // rows of them at most
	rateOver     = 1 * time.Minute // what a rate is taken over
)

// Options are what pages are made from. The functions are required.
type Options struct {
	// Recent returns a topic's newest entries.
	Recent func(ctx context.Context, topic reading.Topic, limit int) (reading.History, error)
	// Latest returns the newest n entries of each topic.
	Latest func(ctx context.Context, topics []reading.Topic, n int) ([][]reading.Entry, error)
	// Topics returns the known topics that match.
	Topics func(match func(reading.Topic) bool) []reading.Topic
	// Columns returns what is known of a topic's columns.
	Columns func(topic reading.Topic) []reading.Column
	// Can says whether the request may view a topic.
	Can func(r *http.Request, topic reading.Topic) error
	// Base is scheme and host by which browsers reach this server.
	Base func(r *http.Request) string
	// Key is the Redis key of a topic's stream.
	Key func(topic reading.Topic) string
	// Frameable lets other sites frame the answer.
	Frameable func(w http.ResponseWriter)

	MemoryOnly bool
	Retention  time.Duration
	Own        []reading.Topic // topics that this process feeds itself
}

// Pages are the handlers.
type Pages struct{ o Options }

// New returns the handlers.
func New(o Options) *Pages { return &Pages{o} }

// Home serves GET /.
func (p *Pages) Home(w http.ResponseWriter, r *http.Request) error {
	known := p.o.Topics(p.visible(r, func(reading.Topic) bool { return true }))
	v := views.HomeView{Page: p.page(r), Own: p.o.Own, Total: len(known)}
	var machine, topics []reading.Topic
	for _, topic := range known {
		switch {
		case !slices.Contains(p.o.Own, topic):
			topics = append(topics, topic)
		case !strings.HasPrefix(topic.Name(), "readout_"): // how the server does is not what the machine does
			machine = append(machine, topic)
		}
	}
	var err error
	if v.Machine, err = p.series(r.Context(), machine); err != nil {
		return err
	}
	if v.Topics, err = p.series(r.Context(), topics[:min(len(topics), homeTopics)]); err != nil {
		return err
	}
	return render(w, r, http.StatusOK, views.HomePage(v))
}

// Topics serves GET /topics.
func (p *Pages) Topics(w http.ResponseWriter, r *http.Request) error {
	v := views.TopicsView{Page: p.page(r), Match: r.URL.Query().Get("match")}
	if v.Match == "" {
		v.Match = "*"
	}
	selector, err := reading.ParseSelector(v.Match)
	if err != nil {
		refused, row := problem.Of(err)
		v.Problem = refused.Message
		return render(w, r, row.Status, views.TopicsPage(v))
	}
	match := selector.Match
	if _, one := selector.Topic(); one { // people type the beginning of a name
		if beginning, err := reading.ParseSelector(v.Match + "*"); err == nil {
			match = func(t reading.Topic) bool { return selector.Match(t) || beginning.Match(t) }
		}
	}
	topics := p.o.Topics(p.visible(r, match))
	v.Total = len(topics)
	if v.Topics, err = p.series(r.Context(), topics[:min(len(topics), listTopics)]); err != nil {
		return err
	}
	for _, s := range v.Topics {
		v.Rate += s.Rate
	}
	return render(w, r, http.StatusOK, views.TopicsPage(v))
}

// Error serves the page of an error. means and do are those of its row in the table.
func (p *Pages) Error(w http.ResponseWriter, r *http.Request, status int, means, message, do, requestID string) {
	v := views.ErrorView{Page: p.page(r), Status: status, Title: means, Message: sentence(message), Do: do, RequestID: requestID}
	_ = render(w, r, status, views.ErrorPage(v)) // the viewer is gone
}

// sentence makes a message, which is written to follow a code, stand by itself.
func sentence(message string) string {
	if message == "" {
		return ""
	}
	first, size := utf8.DecodeRuneInString(message)
	return string(unicode.ToUpper(first)) + strings.TrimSuffix(message[size:], ".") + "."
}

func (p *Pages) page(r *http.Request) views.Page {
	return views.Page{Now: time.Now().UnixMilli(), Base: p.o.Base(r), MemoryOnly: p.o.MemoryOnly}
}

// visible narrows a match to what the viewer may see.
func (p *Pages) visible(r *http.Request, match func(reading.Topic) bool) func(reading.Topic) bool {
	return func(t reading.Topic) bool { return match(t) && p.o.Can(r, t) == nil }
}

// series reads what lists show of topics, all in one trip to the store.
func (p *Pages) series(ctx context.Context, topics []reading.Topic) ([]views.Series, error) {
	if len(topics) == 0 {
		return nil, nil
	}
	latest, err := p.o.Latest(ctx, topics, sparkEntries)
	if err != nil {
		return nil, err
	}
	list := make([]views.Series, 0, len(topics))
	for i, topic := range topics {
		h := reading.History{Entries: latest[i]}
		if n := len(latest[i]); n > 0 {
			h.End = latest[i][n-1].Cursor
		}
		list = append(list, p.one(topic, h, sparkRows))
	}
	return list, nil
}

// one builds the series of one topic from the end of its stream.
func (p *Pages) one(topic reading.Topic, h reading.History, most int) views.Series {
	s := views.Series{Topic: topic, Columns: p.o.Columns(topic)}
	if h.End.Epoch != "" || len(h.Entries) > 0 {
		s.Cursor = h.End.String()
	}
	var list []reading.Reading
	for _, e := range h.Entries {
		list = append(list, e.Readings...)
	}
	list = list[max(0, len(list)-most):]
	slices.SortStableFunc(list, func(a, b reading.Reading) int { return int(a.Time - b.Time) })
	at := map[string]int{}
	for i, c := range s.Columns {
		at[c.Name] = i
	}
	for _, r := range list {
		for _, v := range r.Values {
			if _, ok := at[v.Name]; !ok {
				at[v.Name] = len(s.Columns)
				s.Columns = append(s.Columns, reading.Column{Name: v.Name})
			}
		}
	}
	for _, r := range list {
		row := views.Row{Time: r.Time, Values: make([]reading.Value, len(s.Columns))}
		for _, v := range r.Values {
			row.Values[at[v.Name]] = v.Value
		}
		s.Rows = append(s.Rows, row)
	}
	s.Interval = reading.Interval(list)
	s.Rate = rate(s.Rows, time.Now().UnixMilli())
	return s
}

// rate is how many rows a second the last minute brought.
func rate(rows []views.Row, now int64) float64 {
	from := now - rateOver.Milliseconds()
	n, oldest := 0, now
	for _, row := range slices.Backward(rows) {
		if row.Time < from {
			return float64(n) / rateOver.Seconds()
		}
		n, oldest = n+1, row.Time
	}
	if n < 2 || oldest >= now { // fewer rows than a minute: over the time that they cover
		return float64(n) / rateOver.Seconds()
	}
	return float64(n) * 1000 / float64(now-oldest)
}

// render writes a page. An error means that nothing was written.
func render(w http.ResponseWriter, r *http.Request, status int, page templ.Component) error {
	buffer := templ.GetBuffer()
	defer templ.ReleaseBuffer(buffer)
	if err := page.Render(r.Context(), buffer); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(buffer.Bytes()) // the viewer may be gone
	return nil
}
