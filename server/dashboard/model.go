// Package dashboard holds what a dashboard is: a short document in YAML or JSON
// that a person can read, compare and keep in git. It parses and checks
// documents, makes panels for topics that nobody described, and keeps a
// directory of documents up to date. It knows no HTTP and no store.
package dashboard

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"readout/server/reading"
)

// Format is the version of the document format, the value of its key readout.
const Format = 1

// Dashboard is one document, checked and with every default filled in.
type Dashboard struct {
	Slug        string        // its address: /d/{slug}
	Title       string        // 1 to 200 characters, none of them invisible
	Description string        // one line, may be empty
	Window      time.Duration // the time that its charts cover, 1 minute to 31 days
	Panels      []Panel       // from left to right, line by line
	Source      string        // the document as it was written
	File        string        // the file's name in its directory; empty when it has none
	BuiltIn     bool          // part of Readout, and not replaced by a file
	Version     string        // hash of Source: another document has another version
}

// Kind is what a panel draws.
type Kind string

// The kinds of a panel. A Panel of kind Auto becomes one of the others when its
// topics are known; see Panel.Fill.
const (
	Auto     Kind = ""
	Stat     Kind = "stat"     // one figure and its recent course
	Line     Kind = "line"     // lines over time
	Area     Kind = "area"     // lines over time, filled
	Stacked  Kind = "stacked"  // areas on top of each other
	Gauge    Kind = "gauge"    // one figure between min and max
	Bars     Kind = "bars"     // the newest values side by side
	Table    Kind = "table"    // one row for each topic, one column for each value
	Timeline Kind = "timeline" // states over time
	Text     Kind = "text"     // markdown
)

// Kinds are all kinds but Auto, in the order of the reference.
var kinds = []Kind{Stat, Line, Area, Stacked, Gauge, Bars, Table, Timeline, Text}

// Panel is one panel. Its JSON is what the page's script gets, and is also a
// panel of a JSON document.
type Panel struct {
	Title      string            `json:"title"`
	Note       string            `json:"note,omitempty"`
	Kind       Kind              `json:"kind,omitempty"`
	Topics     []string          `json:"topics,omitempty"`     // topics and selectors, canonical
	Columns    []string          `json:"columns,omitempty"`    // which values, in this order; none for all that can be drawn
	Unit       string            `json:"unit,omitempty"`       // stands in for the unit of every column
	Min        *float64          `json:"min,omitempty"`        // lower end of the axis or gauge, in the panel's unit
	Max        *float64          `json:"max,omitempty"`        // upper end
	Decimals   *int              `json:"decimals,omitempty"`   // 0 to 9; nil for as many as needed
	Names      map[string]string `json:"names,omitempty"`      // what to call columns
	Thresholds []Threshold       `json:"thresholds,omitempty"` // worst reached one wins
	Legend     []string          `json:"legend,omitempty"`     // of last, min, max, avg
	Limit      int               `json:"limit,omitempty"`      // lines or rows at most, largest first
	Link       string            `json:"link,omitempty"`       // http, https or a path of this server
	Text       string            `json:"text,omitempty"`       // markdown; only of kind Text
	Width      int               `json:"width,omitempty"`      // 1 to 12 columns of the board
	Height     int               `json:"height,omitempty"`     // 1 to 24 rows of 32 px

	selectors []reading.Selector // of Topics; nil unless Parse made the panel
}

// The levels of a Threshold.
const (
	Warn     = "warn"
	Critical = "critical"
)

// Threshold is a value from which on a panel asks for attention.
type Threshold struct {
	At    float64 `json:"at"`
	Level string  `json:"level"`           // Warn or Critical
	Below bool    `json:"below,omitempty"` // reached at or below At, not at or above it
	Name  string  `json:"name,omitempty"`  // what the chip says; the level if empty
}

// Reached reports whether a value reaches the threshold.
func (t Threshold) Reached(value float64) bool {
	if t.Below {
		return value <= t.At
	}
	return value >= t.At
}

// Level returns the worst threshold that a value reaches.
func (p Panel) Level(value float64) (Threshold, bool) {
	worst, found := Threshold{}, false
	for _, t := range p.Thresholds {
		if t.Reached(value) && (!found || worst.Level != Critical && t.Level == Critical) {
			worst, found = t, true
		}
	}
	return worst, found
}

// Selectors returns the parsed Topics. Those that do not parse, which only a
// panel made by hand can hold, are left out.
func (p Panel) Selectors() []reading.Selector {
	if len(p.selectors) == len(p.Topics) {
		return p.selectors
	}
	list := make([]reading.Selector, 0, len(p.Topics))
	for _, text := range p.Topics {
		if s, err := reading.ParseSelector(text); err == nil {
			list = append(list, s)
		}
	}
	return list
}

// Match reports whether the panel shows a topic.
func (p Panel) Match(topic reading.Topic) bool {
	return slices.ContainsFunc(p.Selectors(), func(s reading.Selector) bool { return s.Match(topic) })
}

// Selectors returns every topic and selector of the panels once, in the order
// of their first mention.
func (d Dashboard) Selectors() []reading.Selector {
	var list []reading.Selector
	seen := map[string]bool{}
	for _, p := range d.Panels {
		for _, s := range p.Selectors() {
			if text := s.String(); !seen[text] {
				seen[text] = true
				list = append(list, s)
			}
		}
	}
	return list
}

// Match reports whether any panel shows a topic.
func (d Dashboard) Match(topic reading.Topic) bool {
	return slices.ContainsFunc(d.Panels, func(p Panel) bool { return p.Match(topic) })
}

// document is the format as JSON.
type document struct {
	Readout     int     `json:"readout"`
	Title       string  `json:"title"`
	Description string  `json:"description,omitempty"`
	Window      string  `json:"window,omitempty"`
	Panels      []Panel `json:"panels"`
}

// MarshalJSON writes the dashboard as a document that Parse reads. Its defaults
// are spelled out; Slug, Source, File, BuiltIn and Version are no part of it.
func (d Dashboard) MarshalJSON() ([]byte, error) {
	return json.Marshal(document{Format, d.Title, d.Description, windowText(d.Window), d.Panels})
}

// windowText prints a window as the format spells it: 15m, 24h, 1h30m.
func windowText(d time.Duration) string {
	if d == 0 {
		return ""
	}
	text := d.String() // 15m0s, 24h0m0s
	if minutes, ok := strings.CutSuffix(text, "m0s"); ok {
		text = minutes + "m"
	}
	if hours, ok := strings.CutSuffix(text, "h0m"); ok {
		text = hours + "h"
	}
	return text
}

// Problem is what is wrong with a document or its file. The zero Problem is none.
type Problem struct {
	File    string  `json:"file,omitempty"`
	Line    int     `json:"line,omitempty"`   // from 1; 0 when it is about the whole file
	Column  int     `json:"column,omitempty"` // in characters, from 1
	Message string  `json:"message"`          // what is wrong and what to do, in one line
	Others  []Fault `json:"others,omitempty"` // further places of the same document
}

// Fault is one place of a document that is wrong.
type Fault struct {
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Message string `json:"message"`
}

// Any reports whether something is wrong.
func (p Problem) Any() bool { return p.Message != "" }

// String returns the problem as compilers print it: shop.yaml:12:9: message.
func (p Problem) String() string { return p.at(p.Line, p.Column) + p.Message }

// Lines returns every place as String prints one.
func (p Problem) Lines() []string {
	lines := []string{p.String()}
	for _, f := range p.Others {
		lines = append(lines, p.at(f.Line, f.Column)+f.Message)
	}
	return lines
}

func (p Problem) at(line, column int) string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File + ":")
	}
	if line > 0 {
		b.WriteString(strconv.Itoa(line) + ":" + strconv.Itoa(column) + ":")
	}
	if b.Len() > 0 {
		b.WriteByte(' ')
	}
	return b.String()
}
