package reading

import "unicode/utf8"

// The kinds of a column: what its values mean.
const (
	Gauge   = "gauge"   // a level, which goes up and down
	Counter = "counter" // a count that only grows, and begins again when its source does
	State   = "state"   // one of several texts, or true and false
)

// Column is what all values of one name in a topic have in common. An empty
// Unit or Kind says nothing. The catalog stores it as this JSON.
type Column struct {
	Name string `json:"name"`
	Unit string `json:"unit,omitempty"` // percent, bytes, ms, orders; at most 32 bytes
	Kind string `json:"kind"`           // Gauge, Counter or State
}

// Validate checks a described column.
func (c Column) Validate() error {
	const maxUnit = 32 // bytes
	if err := ValidateColumn(c.Name); err != nil {
		return err
	}
	switch c.Kind {
	case "", Gauge, Counter, State:
	default:
		return Refuse("bad_describe", "the kind of the value %q is %s; use gauge, counter or state", c.Name, Quote(c.Kind))
	}
	switch {
	case len(c.Unit) > maxUnit:
		return Refuse("bad_describe", "the unit of the value %q has %d bytes; at most %d are allowed", c.Name, len(c.Unit), maxUnit)
	case !utf8.ValidString(c.Unit):
		return Refuse("bad_utf8", "the unit of the value %q is not valid UTF-8", c.Name)
	case hasControl(c.Unit):
		return Refuse("bad_describe", "the unit of the value %q holds a control character", c.Name)
	}
	return nil
}
