package dashboard

import (
	"math"
	"slices"

	"readout/server/reading"
)

// Subject is a topic and what is known of it.
type Subject struct {
	Topic   reading.Topic
	Columns []reading.Column
	Last    []reading.Value // the newest value of each column; nil when nobody knows
}

// Automatic makes the panel of a topic that nobody described: its kind, title,
// unit and ends, from the topic's name, its columns and their newest values
// (last, beside columns; nil when nobody knows). Columns may be as stored or
// already turned into rates.
//
// The first column decides. States make a timeline. Numbers make lines, and
// those of the first unit only, since one axis has one unit; amounts that
// add up to their total are stacked.
func Automatic(topic reading.Topic, columns []reading.Column, last []reading.Value) Panel {
	name := describeName(topic)
	p := Panel{Topics: []string{string(topic)}, Kind: Line}
	drawn := firstAlike(columns, last, name.unit)
	if len(drawn) < len(columns) {
		for _, i := range drawn {
			p.Columns = append(p.Columns, columns[i].Name)
		}
	}
	only := ""
	if len(drawn) == 1 && columns[drawn[0]].Name != reading.DefaultValue {
		only = columns[drawn[0]].Name
	}
	p.Title = name.title(only)
	if len(drawn) > 0 {
		first := drawn[0]
		if isState(columns[first], value(last, first)) {
			p.Kind = Timeline
		} else {
			p.draw(columns, last, drawn, name.unit)
		}
	}
	p.measure()
	return p
}

// draw chooses unit, ends and kind of a panel of numbers.
func (p *Panel) draw(columns []reading.Column, last []reading.Value, drawn []int, named string) {
	unit, counter := unitOf(columns[drawn[0]], named), columns[drawn[0]].Kind == reading.Counter
	if columns[drawn[0]].Unit == "" {
		p.Unit = unit // of the name; a described unit comes with the readings
		if counter {
			p.Unit = perSecond(unit)
		}
	}
	lowest, highest, known := extent(last, drawn)
	switch {
	case counter || !known || lowest < 0:
	case (unit == "percent" || unit == "%") && highest <= 100:
		p.ends(0, 100)
	case unit == "ratio" && highest <= 1:
		p.ends(0, 1)
	}
	if parts := partsOf(columns, last, drawn); parts != nil && columns[drawn[0]].Unit == "bytes" && !counter {
		p.Kind, p.Columns = Stacked, parts
	}
}

func (p *Panel) ends(lowest, highest float64) { p.Min, p.Max = &lowest, &highest }

// Fill returns the panel with what its document left open taken from Automatic
// for the first of its topics: the kind and, where the panel is of an automatic
// kind, the unit, the ends and the columns. A panel of a kind that the document
// names keeps what it has, but for a gauge of percent, which ends at 0 and 100.
func (p Panel) Fill(topic reading.Topic, columns []reading.Column, last []reading.Value) Panel {
	if p.Kind == Text {
		return p
	}
	asked := columns
	if len(p.Columns) > 0 { // judge by the columns that are shown, in their order
		asked, last = pick(p.Columns, columns, last)
	}
	a := Automatic(topic, asked, last)
	switch {
	case p.Kind == Auto:
		p.Kind = a.Kind
		if p.Unit == "" {
			p.Unit = a.Unit
		}
		if p.Min == nil && p.Max == nil && (p.Unit == a.Unit) {
			p.Min, p.Max = a.Min, a.Max
		}
		if len(p.Columns) == 0 {
			p.Columns = a.Columns
		}
	case p.Kind == Gauge && p.Min == nil && p.Max == nil && (p.Unit == "" || p.Unit == a.Unit):
		p.Min, p.Max = a.Min, a.Max
	}
	p.measure()
	return p
}

// pick returns the named columns and their values, in the order of the names.
func pick(names []string, columns []reading.Column, last []reading.Value) ([]reading.Column, []reading.Value) {
	var picked []reading.Column
	var values []reading.Value
	for _, name := range names {
		if i := slices.IndexFunc(columns, func(c reading.Column) bool { return c.Name == name }); i >= 0 {
			picked, values = append(picked, columns[i]), append(values, value(last, i))
		}
	}
	return picked, values
}

// value returns the newest value of column i, missing when nobody knows it.
func value(last []reading.Value, i int) reading.Value {
	if i < len(last) {
		return last[i]
	}
	return reading.Value{}
}

func isState(c reading.Column, v reading.Value) bool {
	kind := v.Kind()
	return c.Kind == reading.State || kind == reading.Text || kind == reading.Bool
}

// firstAlike returns the columns that can be drawn together with the first:
// all states, or the numbers with its unit.
func firstAlike(columns []reading.Column, last []reading.Value, named string) []int {
	var alike []int
	for i, c := range columns {
		if i == 0 {
			alike = append(alike, i)
			continue
		}
		first, state := columns[0], isState(columns[0], value(last, 0))
		switch {
		case isState(c, value(last, i)) != state:
		case state, unitOf(c, named) == unitOf(first, named) && (c.Kind == reading.Counter) == (first.Kind == reading.Counter):
			alike = append(alike, i)
		}
	}
	return alike
}

// unitOf returns the described unit of a column, else the one that its own name
// or the topic's name ends with.
func unitOf(c reading.Column, named string) string {
	if c.Unit != "" {
		return c.Unit
	}
	if _, unit, _ := cutUnit(c.Name); unit != "" {
		return unit
	}
	return named
}

// perSecond returns the unit of the rate of a counter of a unit, where the unit
// is only known from a name. Package hub turns seconds per second into a ratio
// by the described unit; here the numbers are the same.
func perSecond(unit string) string {
	switch unit {
	case "s":
		return "ratio"
	default:
		return unit + "/s"
	}
}

// extent returns the least and the largest number among the drawn values.
func extent(last []reading.Value, drawn []int) (lowest, highest float64, known bool) {
	lowest, highest = math.Inf(1), math.Inf(-1)
	for _, i := range drawn {
		if f, ok := value(last, i).Number(); ok {
			lowest, highest, known = min(lowest, f), max(highest, f), true
		}
	}
	return lowest, highest, known
}

// shares are names of amounts that can be parts of one whole.
var shares = map[string]bool{
	"used": true, "cached": true, "buffers": true, "free": true, "reserved": true, "shared": true, "slab": true,
	"active": true, "inactive": true, "wired": true, "compressed": true,
}

// partsOf returns the columns that are parts of a whole, or nil. Names alone
// prove nothing: used may well hold what cached holds. So the whole must be
// there, as total, and the newest values of the parts must add up to it, give or
// take the tenth that a file system keeps for itself.
func partsOf(columns []reading.Column, last []reading.Value, drawn []int) []string {
	var parts []string
	var sum, total float64
	for _, i := range drawn {
		f, ok := value(last, i).Number()
		switch name := columns[i].Name; {
		case name == "total":
			total = f
		case shares[name]:
			if !ok || f < 0 {
				return nil
			}
			sum += f
			parts = append(parts, name)
		}
	}
	if len(parts) < 2 || total <= 0 || math.Abs(sum-total) > total/10 {
		return nil
	}
	return parts
}
