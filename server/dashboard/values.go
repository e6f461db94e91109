package dashboard

import (
	"fmt"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"readout/server/reading"
)

// shown is a value as messages quote it.
func shown(n node) string {
	if n.form == list || n.form == mapping || n.form == empty {
		return n.called()
	}
	return reading.Quote(n.text)
}

// scalar returns the text of a plain value. Numbers and truths are texts as
// they were written, so that title: 2024 needs no quotes.
func (w *walk) scalar(n node, what string) (string, bool) {
	if n.form == list || n.form == mapping || n.form == empty {
		w.fault(n, "%s is %s; expected text", what, n.called())
		return "", false
	}
	return n.text, true
}

// line reads a text of one line.
func (w *walk) line(n node, what string, most int) string {
	s, ok := w.scalar(n, what)
	if !ok {
		return ""
	}
	s = strings.TrimSpace(s)
	if s == "" {
		w.fault(n, "%s is empty; give it a value or remove the key", what)
		return ""
	}
	if message := visible(s, most, ""); message != "" {
		w.fault(n, "%s %s", what, message)
		return ""
	}
	return s
}

// visible says what is wrong with a text that people will see. Characters
// without a shape of their own can make one text look like another, or turn the
// text around them; letters of every script are welcome.
func visible(s string, most int, allowed string) string {
	if n := utf8.RuneCountInString(s); n > most {
		return fmt.Sprintf("has %d characters; at most %d are allowed", n, most)
	}
	for i, r := range s {
		switch {
		case strings.ContainsRune(allowed, r):
		case r == '\n':
			return "has several lines; write one"
		case hidden(r):
			return fmt.Sprintf("holds an invisible character (%U) after %s; remove it", r, reading.Quote(s[:i]))
		}
	}
	return ""
}

// hidden reports characters that cannot be seen, among them those that change
// the direction of text and those of no width.
func hidden(r rune) bool {
	switch r {
	case 0x034f, 0x115f, 0x1160, 0x17b4, 0x17b5, 0x2800, 0x3164, 0xffa0: // letters and marks by name, blank by shape
		return true
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co)
}

// clean makes a text that visible accepts of one that somebody sent: hidden
// characters go and what is too long is cut.
func clean(s string, most int) string {
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if hidden(r) || r == utf8.RuneError {
			return -1
		}
		return r
	}, s))
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return strings.TrimSpace(string([]rune(s)[:most-1])) + "\u2026"
}

func (w *walk) markdown(n node) string {
	s, ok := w.scalar(n, "text")
	if !ok {
		return ""
	}
	s = strings.TrimRight(strings.TrimLeft(strings.ReplaceAll(s, "\r\n", "\n"), "\n"), " \t\n")
	if strings.TrimSpace(s) == "" {
		w.fault(n, "text is empty; give it a value or remove the panel")
		return ""
	}
	if message := visible(s, MaxText, "\n\t"); message != "" {
		w.fault(n, "text %s", message)
	}
	return s
}

func (w *walk) number(n node, what string) (float64, bool) {
	if n.form == number {
		if v, ok := reading.ParseNumber(n.text); ok && math.Abs(v) <= maxNumber {
			return v, true
		}
	}
	w.fault(n, "%s is %s; expected a finite decimal number, without quotes", what, shown(n))
	return 0, false
}

func (w *walk) finite(n node, what string) *float64 {
	v, ok := w.number(n, what)
	if !ok {
		return nil
	}
	v += 0 // -0 is 0
	return &v
}

func (w *walk) whole(n node, what string, least, most int) *int {
	v, ok := reading.ParseNumber(n.text)
	if n.form != number || !ok || v != math.Trunc(v) || v < float64(least) || v > float64(most) {
		w.fault(n, "%s is %s; it is a whole number between %d and %d", what, shown(n), least, most)
		return nil
	}
	i := int(v)
	return &i
}

func (w *walk) kind(n node) Kind {
	if n.form == word {
		if n.text == "auto" {
			return Auto
		}
		if slices.Contains(kinds, Kind(n.text)) {
			return Kind(n.text)
		}
	}
	known := make([]string, len(kinds))
	for i, k := range kinds {
		known[i] = string(k)
	}
	w.fault(n, "there is no kind %s; %s", shown(n), suggest(n.text, known))
	return Auto
}

// several reads a list of texts; a single text is a list of one.
func (w *walk) several(n node, what string, most int, read func(n node, text string)) {
	items := []node{n}
	if n.form == list {
		items = n.items
	}
	if len(items) == 0 || len(items) > most {
		w.fault(n, "%s has %d entries; expected 1 to %d", what, len(items), most)
		return
	}
	for _, item := range items {
		if text, ok := w.scalar(item, "an entry of "+what); ok {
			read(item, strings.TrimSpace(text))
		}
	}
}

func (w *walk) topics(n node, p *Panel) {
	if n.form == mapping {
		w.fault(n, `topics is a set of keys; put a topic with labels in single quotes: 'cpu{host="web1"}'`)
		return
	}
	w.several(n, "topics", MaxTopics, func(n node, text string) {
		if !w.affordable(text) {
			w.fault(n, "the expressions of this dashboard's topics are too long or repeat too often; list the topics, or use * and + instead of counts such as {4}")
			return
		}
		s, err := reading.ParseSelector(text)
		if err != nil {
			w.fault(n, "%s", refusal(err))
			return
		}
		if slices.Contains(p.Topics, s.String()) {
			w.fault(n, "the topic %s is given twice; remove one", reading.Quote(text))
			return
		}
		p.Topics, p.selectors = append(p.Topics, s.String()), append(p.selectors, s)
	})
}

var repeat = regexp.MustCompile(`\{(\d{1,6})(?:,(\d{1,6}))?`)

// affordable reports whether a selector's regular expressions still fit in what
// a document may spend on them. A short expression can need megabytes once it is
// compiled, and a document holds up to 2,000 of them.
func (w *walk) affordable(text string) bool {
	if !strings.Contains(text, "=~") && !strings.Contains(text, "!~") {
		return true
	}
	w.expressions += len(text)
	for _, m := range repeat.FindAllStringSubmatch(text, -1) {
		for _, digits := range m[1:] {
			n, _ := strconv.Atoi(digits)
			w.repeats += n
		}
	}
	return w.expressions <= maxExpressions && w.repeats <= maxRepeats
}

// refusal returns what an error of package reading says, without its code.
func refusal(err error) string {
	if e, ok := err.(*reading.Error); ok {
		return e.Message
	}
	return err.Error()
}

func (w *walk) columns(n node) []string {
	var columns []string
	w.several(n, "columns", MaxColumns, func(n node, text string) {
		switch err := reading.ValidateColumn(text); {
		case err != nil:
			w.fault(n, "%s", refusal(err))
		case slices.Contains(columns, text):
			w.fault(n, "the column %s is given twice; remove one", text)
		default:
			columns = append(columns, text)
		}
	})
	return columns
}

func (w *walk) unit(n node) string {
	unit := w.line(n, "unit", MaxTitle)
	if unit == "" {
		return ""
	}
	if err := (reading.Column{Name: "value", Unit: unit}).Validate(); err != nil {
		w.fault(n, "unit has %d bytes; at most 32 are allowed", len(unit))
	}
	return unit
}

func (w *walk) names(n node) map[string]string {
	if n.form != mapping || len(n.keys) == 0 || len(n.keys) > MaxNames {
		w.fault(n, "names is %s; expected 1 to %d columns and their names, such as {busy: in use}", n.called(), MaxNames)
		return nil
	}
	names := make(map[string]string, len(n.keys))
	for i, key := range n.keys {
		if err := reading.ValidateColumn(key.text); err != nil || key.form == list || key.form == mapping {
			w.fault(key, "%s is no name of a column", shown(key))
			continue
		}
		if _, twice := names[key.text]; twice {
			w.fault(key, "the column %s has two names; keep one", key.text)
			continue
		}
		names[key.text] = w.line(n.items[i], "a name", MaxTitle)
	}
	return names
}

func (w *walk) thresholds(n node) []Threshold {
	if n.form != list || len(n.items) == 0 || len(n.items) > MaxThresholds {
		w.fault(n, "thresholds is %s; expected a list of 1 to %d, such as [{at: 80, level: warn}]", n.called(), MaxThresholds)
		return nil
	}
	var thresholds []Threshold
	for _, item := range n.items {
		var t Threshold
		seen := w.mapping(item, "a threshold", []field{
			{"at", func(n node) {
				if at := w.finite(n, "at"); at != nil {
					t.At = *at
				}
			}},
			{"level", func(n node) {
				if t.Level = n.text; n.form != word || t.Level != Warn && t.Level != Critical {
					w.fault(n, "level is %s; use warn or critical", shown(n))
				}
			}},
			{"below", func(n node) {
				if t.Below = n.text == "true"; n.form != truth {
					w.fault(n, "below is %s; use true or false", shown(n))
				}
			}},
			{"name", func(n node) { t.Name = w.line(n, "name", MaxTitle) }},
		})
		for _, key := range []string{"at", "level"} {
			if _, ok := seen[key]; seen != nil && !ok {
				w.fault(item, "this threshold has no %s; write {at: 80, level: warn}", key)
			}
		}
		thresholds = append(thresholds, t)
	}
	return thresholds
}

func (w *walk) legend(n node) []string {
	known := []string{"last", "min", "max", "avg"}
	var legend []string
	w.several(n, "legend", len(known), func(n node, text string) {
		switch {
		case !slices.Contains(known, text):
			w.fault(n, "a legend has no %s; %s", reading.Quote(text), suggest(text, known))
		case slices.Contains(legend, text):
			w.fault(n, "%s is given twice; remove one", text)
		default:
			legend = append(legend, text)
		}
	})
	return legend
}

// link reads an address that a page may link to: of the web, or a path of this
// server. Anything else could run script or leave for a place nobody sees.
func (w *walk) link(n node) string {
	text, ok := w.scalar(n, "link")
	if !ok {
		return ""
	}
	if !linkable(text) {
		w.fault(n, "link is %s; use an address that begins with https:// or http://, or a path of this server that begins with one /", reading.Quote(text))
		return ""
	}
	return text
}

func linkable(text string) bool {
	if len(text) > MaxLink || strings.ContainsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || hidden(r) || strings.ContainsRune(`\"<>`+"`", r) }) {
		return false
	}
	u, err := url.Parse(text)
	if err != nil || u.User != nil {
		return false
	}
	if strings.HasPrefix(text, "/") {
		return !strings.HasPrefix(text, "//") && u.Scheme == "" && u.Host == ""
	}
	return (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.Opaque == ""
}
