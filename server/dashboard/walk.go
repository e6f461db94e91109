package dashboard

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"readout/server/reading"
)

// walk goes through the tree of a document and gathers what is wrong with it.
type walk struct {
	faults      []Fault
	expressions int // bytes of selectors with regular expressions
	repeats     int // sum of the counts in them, as in [0-9]{4}
}

func (w *walk) fault(n node, format string, args ...any) {
	if len(w.faults) < maxProblems {
		w.faults = append(w.faults, Fault{n.line, n.column, fmt.Sprintf(format, args...)})
	}
}

// field is one key that a mapping may have.
type field struct {
	name string
	read func(value node)
}

// mapping reads the keys of n, each once and none that is not among fields. It
// returns the node of each key that was there or meant.
func (w *walk) mapping(n node, what string, fields []field) map[string]node {
	if n.form != mapping {
		w.fault(n, "%s is %s; expected keys and values, such as %s: ...", what, n.called(), fields[0].name)
		return nil
	}
	seen := make(map[string]node, len(fields))
	for i, key := range n.keys {
		if len(w.faults) == maxProblems {
			break // a million wrong keys cost no more than twenty
		}
		if key.form != word {
			w.fault(key, "a key is %s; expected one of %s", key.called(), names(fields))
			continue
		}
		at := slices.IndexFunc(fields, func(f field) bool { return f.name == key.text })
		first, twice := seen[key.text]
		switch {
		case twice:
			w.fault(key, "the key %s is here for the second time (first in line %d); keep one", key.text, first.line)
			continue
		case at < 0:
			advice, meant := hint(key.text, fields)
			w.fault(key, "%s has no key %s; %s", what, reading.Quote(key.text), advice)
			if _, ok := seen[meant]; meant != "" && !ok {
				seen[meant] = key // so that nobody is told to add what is only misspelt
			}
			continue
		}
		seen[key.text] = key
		if n.items[i].form == empty {
			w.fault(n.items[i], "%s is empty; give it a value or remove the key", key.text)
			continue
		}
		fields[at].read(n.items[i])
	}
	return seen
}

func names(fields []field) string {
	list := make([]string, len(fields))
	for i, f := range fields {
		list[i] = f.name
	}
	return strings.Join(list, ", ")
}

func (w *walk) dashboard(n node) Dashboard {
	d := Dashboard{Window: DefaultWindow}
	if n.form == empty {
		w.fault(n, "the document is empty; begin with readout: 1, title and panels")
		return d
	}
	seen := w.mapping(n, "a dashboard", []field{
		{"readout", func(n node) {
			if v, ok := w.number(n, "readout"); ok && v != Format {
				w.fault(n, "this is format %s; this version of Readout reads format %d", n.text, Format)
			}
		}},
		{"title", func(n node) { d.Title = w.line(n, "title", MaxTitle) }},
		{"description", func(n node) { d.Description = w.line(n, "description", MaxTitle) }},
		{"window", func(n node) { d.Window = w.window(n) }},
		{"panels", func(n node) { d.Panels = w.panels(n) }},
	})
	if seen == nil {
		return d
	}
	for _, must := range []struct{ key, example string }{{"readout", "readout: 1"}, {"title", "title: Shop"}, {"panels", "panels: with a list of at least one panel"}} {
		if _, ok := seen[must.key]; !ok {
			w.fault(n, "%s is missing; add %s", must.key, must.example)
		}
	}
	return d
}

func (w *walk) window(n node) time.Duration {
	d, ok := parseWindow(n.text)
	switch {
	case n.form != word || !ok:
		w.fault(n, "window is %s; write a number and s, m, h or d, such as 15m or 24h", shown(n))
	case d < MinWindow || d > MaxWindow:
		w.fault(n, "window is %s; it lies between 1m and 744h", shown(n))
	default:
		return d
	}
	return DefaultWindow
}

// parseWindow reads durations such as 15m, 1h30m and 7d, in whole seconds.
func parseWindow(s string) (time.Duration, bool) {
	if len(s) > 16 {
		return 0, false
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, number := reading.ParseNumber(days)
		return time.Duration(n) * 24 * time.Hour, number && n == float64(int(n)) && n >= 0 && n < 1000
	}
	d, err := time.ParseDuration(s)
	return d, err == nil && d%time.Second == 0
}

func (w *walk) panels(n node) []Panel {
	if n.form != list || len(n.items) == 0 {
		w.fault(n, "panels is %s; expected a list of 1 to %d panels, each beginning with - title: ...", n.called(), MaxPanels)
		return nil
	}
	if len(n.items) > MaxPanels {
		w.fault(n.items[MaxPanels], "%d panels; at most %d are allowed. Split them into several dashboards", len(n.items), MaxPanels)
		return nil
	}
	panels := make([]Panel, 0, len(n.items))
	for _, item := range n.items {
		panels = append(panels, w.panel(item))
	}
	return panels
}

func (w *walk) panel(n node) Panel {
	var p Panel
	var lowest node
	seen := w.mapping(n, "a panel", []field{
		{"title", func(n node) { p.Title = w.line(n, "title", MaxTitle) }},
		{"kind", func(n node) { p.Kind = w.kind(n) }},
		{"topics", func(n node) { w.topics(n, &p) }},
		{"columns", func(n node) { p.Columns = w.columns(n) }},
		{"unit", func(n node) { p.Unit = w.unit(n) }},
		{"min", func(n node) { lowest = n; p.Min = w.finite(n, "min") }},
		{"max", func(n node) { lowest = n; p.Max = w.finite(n, "max") }},
		{"decimals", func(n node) { p.Decimals = w.whole(n, "decimals", 0, MaxDecimals) }},
		{"names", func(n node) { p.Names = w.names(n) }},
		{"note", func(n node) { p.Note = w.line(n, "note", MaxTitle) }},
		{"thresholds", func(n node) { p.Thresholds = w.thresholds(n) }},
		{"legend", func(n node) { p.Legend = w.legend(n) }},
		{"limit", func(n node) { p.Limit = or(w.whole(n, "limit", 1, MaxLimit)) }},
		{"link", func(n node) { p.Link = w.link(n) }},
		{"text", func(n node) { p.Text = w.markdown(n) }},
		{"width", func(n node) { p.Width = or(w.whole(n, "width", 1, MaxWidth)) }},
		{"height", func(n node) { p.Height = or(w.whole(n, "height", 1, MaxHeight)) }},
	})
	if seen == nil {
		return p
	}
	if _, ok := seen["title"]; !ok {
		w.fault(n, "this panel has no title; add title: ...")
	}
	if p.Min != nil && p.Max != nil && *p.Min >= *p.Max {
		w.fault(lowest, "min is not less than max; swap or mend them")
	}
	w.bodyOf(n, seen, &p)
	p.measure()
	return p
}

// measure gives a panel the usual size and limit of its kind where it has none.
func (p *Panel) measure() {
	width, height := sizeOf(p.Kind)
	p.Width, p.Height, p.Limit = cmp.Or(p.Width, width), cmp.Or(p.Height, height), cmp.Or(p.Limit, limitOf(p.Kind))
}

// bodyOf checks that a panel has text or topics, whichever its kind needs.
func (w *walk) bodyOf(n node, seen map[string]node, p *Panel) {
	_, topics := seen["topics"]
	text, hasText := seen["text"]
	if _, kind := seen["kind"]; !kind && hasText && !topics {
		p.Kind = Text
	}
	if p.Kind != Text {
		if hasText {
			w.fault(text, "only a panel of kind text has a text; use note for one line, or a panel of its own")
		}
		if !topics {
			w.fault(n, "this panel has no topics; add topics: with a topic or a selector, such as cpu{host=*}")
		}
		return
	}
	if !hasText {
		w.fault(n, "this panel of kind text has no text; add text: ...")
	}
	for _, key := range []string{"topics", "columns", "unit", "min", "max", "decimals", "names", "thresholds", "legend", "limit"} {
		if at, ok := seen[key]; ok {
			w.fault(at, "a panel of kind text has no %s; remove it or use another kind", key)
		}
	}
}

func or(v *int) int {
	if v == nil {
		return 0
	}
	return *v
}
