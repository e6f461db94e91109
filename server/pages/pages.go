// Package pages answers with pages: it loads what a page shows, builds the
// display struct and calls the view. Its handlers return errors, which the
// server turns into answers in one place.
package pages

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/a-h/templ"

	"readout/server/dashboard"
	"readout/server/problem"
	"readout/server/reading"
	"readout/views"
)

const (
	exportEntries = 600             // newest entries of a topic as json, csv or txt
	exportRows    = 2000            // rows of them at most: entries may be packed
	listTopics    = 200             // topics in the list; a selector narrows it
	homeTopics    = 12              // rows on the home page
	homeHeadlines = 60              // dashboards on it that have a figure: each is matched with every topic
	sparkEntries  = 60              // newest entries of each topic in a list
	sparkRows     = 120             // rows of them at most
	rateOver      = 1 * time.Minute // what a rate is taken over
)

// Options are what pages are made from. The functions are required.
type Options struct {
	// Recent returns a topic's newest entries.
	Recent func(ctx context.Context, topic reading.Topic, limit int) (reading.History, error)
	// Latest returns the newest n entries of each topic.
	Latest func(ctx context.Context, topics []reading.Topic, n int) ([][]reading.Entry, error)
	// Histories is Latest with the place where each topic ends, for pages that go on from there.
	Histories func(ctx context.Context, topics []reading.Topic, n int) ([]reading.History, error)
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

	API        API
	Dashboards *dashboard.Library

	MemoryOnly bool
	Retention  time.Duration
	// Own says whether this process feeds a topic itself.
	Own func(topic reading.Topic) bool

	Development bool // the page of components is served
}

// Pages are the handlers.
type Pages struct {
	o      Options
	slots  chan struct{}           // as many as windows of readings are in memory at once
	manual func() (*manual, error) // the pages of package docs, rendered once
	proses proses                  // the text panels of dashboards
}

// New returns the handlers.
func New(o Options) *Pages {
	return &Pages{o: o, slots: rangeSlots(), manual: sync.OnceValues(loadManual)}
}

// Topics serves GET /topics.
func (p *Pages) Topics(w http.ResponseWriter, r *http.Request) error {
	v := views.TopicsView{Page: p.page(r), Match: r.URL.Query().Get("match"), Hidden: r.URL.Query().Get("hidden") == "1"}
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
	all := p.o.Topics(p.listed(r, v.Hidden, func(reading.Topic) bool { return true }))
	topics := slices.DeleteFunc(slices.Clone(all), func(t reading.Topic) bool { return !match(t) })
	v.All, v.Total = len(all), len(topics)
	if v.Topics, err = p.list(r.Context(), topics[:min(len(topics), listTopics)]); err != nil {
		return err
	}
	began := int64(0)
	for _, s := range v.Topics {
		v.Rate += s.Rate
		if at := beganSince(s.Rows, v.Now-usualSpan.Milliseconds()); at > 0 && (began == 0 || at < began) {
			began = at
		}
	}
	v.Window, v.Span = usualSpan.Milliseconds(), covering(began, v.Now, usualSpan).Milliseconds()
	return render(w, r, http.StatusOK, views.TopicsPage(v))
}

// Error serves the page of an error. means and do are those of its row in the table.
func (p *Pages) Error(w http.ResponseWriter, r *http.Request, status int, means, message, do, requestID string) {
	v := views.ErrorView{Page: p.page(r), Status: status, Title: means, Message: sentence(message), Do: do, RequestID: requestID}
	_ = render(w, r, status, views.ErrorPage(v)) // the viewer is gone
}

// sentence makes a message, which is written to follow a code, stand by itself.
// A message that begins with a place in a file keeps that as it is.
func sentence(message string) string {
	if message == "" {
		return ""
	}
	message = strings.TrimSuffix(message, ".") + "."
	if first, _, _ := strings.Cut(message, " "); strings.ContainsAny(strings.TrimRight(first, ".,:"), ".:/{\"") {
		return message
	}
	first, size := utf8.DecodeRuneInString(message)
	return string(unicode.ToUpper(first)) + message[size:]
}

func (p *Pages) page(r *http.Request) views.Page {
	return views.Page{Now: time.Now().UnixMilli(), Base: p.o.Base(r), MemoryOnly: p.o.MemoryOnly}
}

// list reads what lists show of topics, all in one trip to the store.
func (p *Pages) list(ctx context.Context, topics []reading.Topic) ([]views.Series, error) {
	latest, err := p.o.Latest(ctx, topics, sparkEntries)
	if err != nil {
		return nil, err
	}
	list := make([]views.Series, 0, len(topics))
	for i, topic := range topics {
		s := p.one(topic, reading.History{Entries: latest[i]}, sparkRows)
		s.Hidden = p.o.API.Hidden(topic)
		list = append(list, s)
	}
	return list, nil
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
