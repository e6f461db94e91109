package pages

import (
	"cmp"
	"encoding/csv"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"readout/server/hub"
	"readout/server/problem"
	"readout/server/reading"
)

// Limits of one window of readings.
const (
	usualPoints  = 1000
	mostPoints   = 10_000  // rows of one answer
	mostCells    = 500_000 // values of one answer
	rangeEntries = 10_000  // newest entries of the window that are read: as many as a stream keeps unless it is told otherwise
)

// rateLead is how far before the window the reading is looked for that the
// first rate of a counter begins at.
const rateLead = int64(10 * time.Minute / time.Millisecond)

// window is what GET /api/v1/readings asks for.
type window struct {
	topic    reading.Topic
	from, to int64 // ms of the readings' own time, both included; 0 is open
	points   int   // rows at most
	rates    bool  // counters come as rates
	csv      bool
}

// readWindow reads the query of GET /api/v1/readings.
func readWindow(r *http.Request, now time.Time) (window, error) {
	var v window
	q, err := readQuery(r, "topic", "from", "to", "points", "rates", "format")
	if err != nil {
		return v, err
	}
	switch format := q["format"]; {
	case format == "csv", format == "" && strings.Contains(r.Header.Get("Accept"), "text/csv"):
		v.csv = true
	case format != "" && format != "json":
		return v, problem.New("not_acceptable", "there is no format %s; use json or csv", reading.Quote(format))
	}
	if q["topic"] == "" {
		return v, problem.New("bad_request", "topic is missing: ?topic=orders")
	}
	if v.topic, err = reading.ParseTopic(q["topic"]); err != nil {
		return v, err
	}
	if text, given := q["from"]; given {
		if v.from, err = moment("from", text, now); err != nil {
			return v, err
		}
	}
	if text, given := q["to"]; given {
		if v.to, err = moment("to", text, now); err != nil {
			return v, err
		}
		if v.to < max(v.from, 1) {
			return v, problem.New("bad_request", "to lies before from")
		}
	}
	usual := usualPoints
	if v.csv { // which is for keeping, not for drawing
		usual = mostPoints
	}
	if v.points, err = q.number("points", usual, mostPoints); err != nil {
		return v, err
	}
	v.rates, err = q.yes("rates")
	return v, err
}

// table is a window of one topic, ready to be written.
type table struct {
	topic   reading.Topic
	columns []reading.Column
	rows    []reading.Reading // in order of time
	of      int               // readings that the rows stand for
	cut     bool              // older readings of the window were left out
	end     reading.Cursor
}

// Readings serves GET /api/v1/readings: what was stored of one topic in a window
// of time, thinned to so many rows that no peak is lost.
func (p *Pages) Readings(w http.ResponseWriter, r *http.Request) error {
	v, err := readWindow(r, time.Now())
	if err != nil {
		return err
	}
	if err := p.o.Can(r, v.topic); err != nil {
		return err
	}
	done, err := p.begin(r.Context())
	if err != nil {
		return err
	}
	defer done()
	from := v.from
	if v.rates {
		from = max(0, from-rateLead)
	}
	h, err := p.o.API.Range(r.Context(), v.topic, from, v.to, rangeEntries)
	if err != nil {
		return err
	}
	t := v.table(h, p.o.Columns(v.topic))
	w.Header().Add("Vary", "Accept")
	if v.csv {
		return t.writeCSV(w)
	}
	return t.writeJSON(w)
}

// table makes rates, puts the readings in order of time and thins them.
func (v window) table(h reading.History, known []reading.Column) table {
	t := table{topic: v.topic, end: h.End, cut: h.Cut}
	var list []reading.Reading
	for _, e := range h.Entries {
		list = append(list, e.Readings...)
	}
	t.columns = columnsOf(known, list)
	if v.rates {
		t.columns, list = hub.Rates(t.columns, list) // needs the order of the stream
		list = slices.DeleteFunc(list, func(one reading.Reading) bool { return one.Time < v.from })
	}
	slices.SortStableFunc(list, func(a, b reading.Reading) int { return cmp.Compare(a.Time, b.Time) })
	t.of = len(list)
	names := make([]string, len(t.columns))
	for i, c := range t.columns {
		names[i] = c.Name
	}
	most := max(1, mostCells/max(1, len(names)))
	t.rows = evenly(hub.Conflate(list, names, min(v.points, most)), most)
	return t
}

// columnsOf are the columns that are known and those that only the readings have,
// up to a bound.
func columnsOf(known []reading.Column, list []reading.Reading) []reading.Column {
	columns := slices.Clone(known)
	seen := make(map[string]bool, len(columns))
	for _, c := range columns {
		seen[c.Name] = true
	}
	for _, one := range list {
		for _, v := range one.Values {
			if !seen[v.Name] && len(columns) < mostColumns {
				seen[v.Name] = true
				kind := reading.Gauge
				if v.Value.Kind() != reading.Number { // as the catalog will say
					kind = reading.State
				}
				columns = append(columns, reading.Column{Name: v.Name, Kind: kind})
			}
		}
	}
	return columns
}

// places says in which column each name stands.
func places(columns []reading.Column) map[string]int {
	at := make(map[string]int, len(columns))
	for i, c := range columns {
		at[c.Name] = i
	}
	return at
}

// fill puts the values of a reading into row, in the order of the columns.
func fill(row []reading.Value, at map[string]int, one reading.Reading) {
	clear(row)
	for _, v := range one.Values {
		if i, ok := at[v.Name]; ok {
			row[i] = v.Value
		}
	}
}

// appendRow appends [t,v...] as JSON.
func appendRow(b []byte, t int64, row []reading.Value) []byte {
	b = strconv.AppendInt(append(b, '['), t, 10)
	for _, v := range row {
		b = v.AppendJSON(append(b, ','))
	}
	return append(b, ']')
}

func (t table) writeJSON(w http.ResponseWriter) error {
	b := reading.AppendJSONString([]byte(`{"topic":`), string(t.topic))
	list := func(name, first string, text func(reading.Column) string) {
		b = append(append(append(b, `,"`...), name...), `":["`...)
		b = append(append(b, first...), '"')
		for _, c := range t.columns {
			b = reading.AppendJSONString(append(b, ','), text(c))
		}
		b = append(b, ']')
	}
	list("columns", "t", func(c reading.Column) string { return c.Name })
	list("units", "ms", func(c reading.Column) string { return c.Unit })
	list("kinds", "time", func(c reading.Column) string { return c.Kind })
	b = append(b, `,"rows":[`...)
	row, at := make([]reading.Value, len(t.columns)), places(t.columns)
	for i, one := range t.rows {
		if i > 0 {
			b = append(b, ',')
		}
		fill(row, at, one)
		b = appendRow(b, one.Time, row)
	}
	b = strconv.AppendInt(append(b, `],"of":`...), int64(t.of), 10)
	if t.cut {
		b = append(b, `,"cut":true`...)
	}
	b = reading.AppendJSONString(append(b, `,"id":`...), t.end.String())
	return write(w, "application/json", append(b, "}\n"...))
}

// writeCSV writes a line for each reading. What JSON says beside the rows stands
// in headers.
func (t table) writeCSV(w http.ResponseWriter) error {
	var b strings.Builder
	lines := csv.NewWriter(&b)
	line := []string{"t"}
	for _, c := range t.columns {
		line = append(line, c.Name)
	}
	_ = lines.Write(line) // a strings.Builder does not fail
	row, at := make([]reading.Value, len(t.columns)), places(t.columns)
	for _, one := range t.rows {
		fill(row, at, one)
		line = append(line[:0], strconv.FormatInt(one.Time, 10))
		for _, v := range row {
			line = append(line, inert(v))
		}
		_ = lines.Write(line)
	}
	lines.Flush()
	w.Header().Set("Readout-Of", strconv.Itoa(t.of))
	if t.cut {
		w.Header().Set("Readout-Cut", "true")
	}
	w.Header().Set("Content-Disposition", `attachment; filename="`+fileName(t.topic)+`.csv"`)
	return write(w, "text/csv; charset=utf-8", []byte(b.String()))
}

// fileName is a topic as the name of a file on any system.
func fileName(topic reading.Topic) string {
	const most = 80
	name := strings.Map(func(r rune) rune {
		if r == '.' || r == '-' || r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' {
			return r
		}
		return '_'
	}, string(topic))
	name = strings.Trim(name[:min(len(name), most)], "._-")
	if name == "" {
		return "readings"
	}
	return name
}
