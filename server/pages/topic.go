package pages

import (
	"cmp"
	"encoding/csv"
	"net/http"
	"strconv"
	"strings"
	"time"

	"readout/server/dashboard"
	"readout/server/problem"
	"readout/server/reading"
	"readout/views"
)

// Topic serves GET /t/{topic}: its page, the panel alone with ?view=embed, or
// its newest readings as ?format=json, csv or txt.
func (p *Pages) Topic(w http.ResponseWriter, r *http.Request, topic reading.Topic) error {
	if err := p.o.Can(r, topic); err != nil {
		return err
	}
	options, err := viewOptions(r)
	if err != nil {
		return err
	}
	if options.format != "html" {
		return p.export(w, r, topic, options.format)
	}
	window := cmp.Or(options.span, usualSpan)
	s, err := p.course(r.Context(), topic, window)
	if err != nil {
		return err
	}
	s.Hidden = p.o.API.Hidden(topic)
	automatic := dashboard.Automatic(topic, s.Columns, lastOf(s))
	panel, err := p.proses.toView(automatic)
	if err != nil {
		return err
	}
	v := views.TopicView{
		Page: p.page(r), Panel: panel, Series: s, Span: window.Milliseconds(), Window: window.Milliseconds(), Kept: p.o.Retention, Key: p.o.Key(topic),
		Theme: options.theme, Formats: []string{"json", "csv", "txt"}, Hidden: s.Hidden, Manage: p.o.API.Manage(r, topic) == nil,
	}
	if options.span == 0 {
		v.Span = covering(beganSince(s.Rows, v.Now-v.Window), v.Now, window).Milliseconds()
	}
	if options.embed {
		p.o.Frameable(w)
		return render(w, r, http.StatusOK, views.EmbedPage(v))
	}
	return render(w, r, http.StatusOK, views.TopicPage(v))
}

// export answers with the newest readings of a topic, as they were sent.
func (p *Pages) export(w http.ResponseWriter, r *http.Request, topic reading.Topic, format string) error {
	h, err := p.o.Recent(r.Context(), topic, exportEntries)
	if err != nil {
		return err
	}
	switch s := p.stored(topic, h, exportRows); format {
	case "json":
		return writeJSON(w, s)
	case "csv":
		return writeCSV(w, s)
	default:
		return writeText(w, s)
	}
}

type options struct {
	format, theme string
	embed         bool
	span          time.Duration // 0 when none is asked for
}

// Format returns what ?format= or Accept asks for; html without either.
func Format(r *http.Request) (string, error) {
	asked := r.URL.Query()["format"]
	switch {
	case len(asked) > 1:
		return "", problem.New("bad_request", "format is given twice")
	case len(asked) == 1:
		switch asked[0] {
		case "json", "csv", "txt", "sse":
			return asked[0], nil
		}
		return "", problem.New("not_acceptable", "there is no format %s; use json, csv, txt or sse", reading.Quote(asked[0]))
	}
	accept := r.Header.Get("Accept")
	for _, known := range []struct{ media, format string }{
		{"text/html", "html"}, {"text/event-stream", "sse"}, {"application/json", "json"}, {"text/csv", "csv"}, {"text/plain", "txt"},
	} {
		if strings.Contains(accept, known.media) {
			return known.format, nil
		}
	}
	return "html", nil
}

// viewOptions reads the query of a topic's page: in GET it never holds labels.
func viewOptions(r *http.Request) (options, error) {
	o := options{theme: "auto"}
	var err error
	if o.format, err = Format(r); err != nil {
		return o, err
	}
	for name, values := range r.URL.Query() {
		if len(values) > 1 {
			return o, problem.New("bad_request", "%s is given twice", reading.Quote(name))
		}
		switch value := values[0]; {
		case name == "format":
		case name == "view" && value == "embed":
			o.embed = true
		case name == "theme" && (value == "light" || value == "dark" || value == "auto"):
			o.theme = value
		case name == "window":
			if o.span, err = readSpan(value); err != nil {
				return o, err
			}
		case name == "view" || name == "theme":
			return o, problem.New("bad_request", "%s has no %s; use view=embed and theme=light, dark or auto", name, reading.Quote(value))
		default:
			return o, problem.New("bad_request", "%s is no option of this page; labels stand in the path: %s", reading.Quote(name), `/t/cpu{host="web1"}`)
		}
	}
	return o, nil
}

func writeJSON(w http.ResponseWriter, s views.Series) error {
	b := reading.AppendJSONString([]byte(`{"topic":`), string(s.Topic))
	b = append(b, `,"columns":["t"`...)
	for _, c := range s.Columns {
		b = reading.AppendJSONString(append(b, ','), c.Name)
	}
	b = append(b, `],"rows":[`...)
	for i, row := range s.Rows {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(append(b, '['), row.Time, 10)
		for _, v := range row.Values {
			b = v.AppendJSON(append(b, ','))
		}
		b = append(b, ']')
	}
	b = reading.AppendJSONString(append(b, `],"id":`...), s.Cursor)
	return write(w, "application/json", append(b, "}\n"...))
}

func writeCSV(w http.ResponseWriter, s views.Series) error {
	var b strings.Builder
	table := csv.NewWriter(&b)
	line := []string{"t"}
	for _, c := range s.Columns {
		line = append(line, c.Name)
	}
	_ = table.Write(line) // a strings.Builder does not fail
	for _, row := range s.Rows {
		line = append(line[:0], strconv.FormatInt(row.Time, 10))
		for _, v := range row.Values {
			line = append(line, inert(v))
		}
		_ = table.Write(line)
	}
	table.Flush()
	return write(w, "text/csv; charset=utf-8", []byte(b.String()))
}

// inert keeps a spreadsheet from taking a state for a formula.
func inert(v reading.Value) string {
	text, ok := v.Text()
	if ok && strings.ContainsRune("=+-@", rune(text[0])) {
		return "'" + text
	}
	return v.String()
}

// writeText answers with the newest reading on one line.
func writeText(w http.ResponseWriter, s views.Series) error {
	if len(s.Rows) == 0 {
		return problem.New("not_found", "%s has no readings", s.Topic)
	}
	last := s.Rows[len(s.Rows)-1]
	var line []string
	for i, v := range last.Values {
		switch {
		case v.Kind() == reading.None:
		case len(s.Columns) == 1 && s.Columns[0].Name == reading.DefaultValue:
			line = append(line, v.String())
		default:
			line = append(line, s.Columns[i].Name+"="+v.String())
		}
	}
	w.Header().Set("Last-Modified", time.UnixMilli(last.Time).UTC().Format(http.TimeFormat))
	return write(w, "text/plain; charset=utf-8", []byte(strings.Join(line, " ")+"\n"))
}

func write(w http.ResponseWriter, kind string, body []byte) error {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(body) // the viewer may be gone
	return nil
}
