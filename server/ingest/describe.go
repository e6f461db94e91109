package ingest

import (
	"fmt"
	"unicode"
	"unicode/utf8"

	"readout/server/reading"
)

// describe reads {"cpu":{"user":{"unit":"percent","kind":"gauge"}}}, whose { is
// next. A description belongs to no reading, so a wrong one refuses the request.
func (d *decoder) describe() error {
	described := make(map[reading.Topic]bool)
	return d.object(func(at int, key []byte) error {
		topic, err := reading.ParseTopic(string(key))
		if err != nil {
			return err
		}
		switch {
		case described[topic]:
			return d.duplicate(at, key)
		case len(described) == MaxReadings:
			return reading.Refuse("too_many", "more than %d topics are described in one request; split it", MaxReadings)
		case d.next() != '{':
			return d.fail("the description of a topic is an object of values, found %s", d.found())
		}
		described[topic] = true
		description := Description{Topic: topic, Columns: make(map[string]Column)}
		if err := d.describeColumns(description.Columns); err != nil {
			return err
		}
		d.request.Describe = append(d.request.Describe, description)
		return nil
	})
}

func (d *decoder) describeColumns(columns map[string]Column) error {
	return d.object(func(at int, key []byte) error {
		name := string(key)
		if err := reading.ValidateColumn(name); err != nil {
			return err
		}
		if _, twice := columns[name]; twice {
			return d.duplicate(at, key)
		}
		if len(columns) == reading.MaxValues {
			return reading.Refuse("too_many_values", "more than %d values of one topic are described", reading.MaxValues)
		}
		if d.next() != '{' {
			return d.fail("the description of a value is an object of unit and kind, found %s", d.found())
		}
		column, err := d.column(name)
		columns[name] = column
		return err
	})
}

// column reads {"unit":"percent","kind":"gauge"}, whose { is next.
func (d *decoder) column(name string) (Column, error) {
	var column Column
	var hasUnit, hasKind bool
	err := d.object(func(at int, key []byte) error {
		var into *string
		var given *bool
		switch string(key) {
		case "unit":
			into, given = &column.Unit, &hasUnit
		case "kind":
			into, given = &column.Kind, &hasKind
		default:
			return d.failAt(at, "unknown_field", "unknown field %s; the description of a value has unit and kind", reading.Quote(string(key)))
		}
		if *given {
			return d.duplicate(at, key)
		}
		*given = true
		if d.next() != '"' {
			return d.fail("%s is a string, found %s", key, d.found())
		}
		text, err := d.text()
		*into = string(text)
		return err
	})
	if err != nil {
		return Column{}, err
	}
	return column, column.validate(name)
}

func (c Column) validate(name string) error {
	switch c.Kind {
	case "", "gauge", "counter", "state":
	default:
		return reading.Refuse("bad_describe", "the kind of the value %q is %s; use gauge, counter or state", name, reading.Quote(c.Kind))
	}
	if len(c.Unit) > MaxUnit {
		return reading.Refuse("bad_describe", "the unit of the value %q has %d bytes; at most %d are allowed", name, len(c.Unit), MaxUnit)
	}
	if !utf8.ValidString(c.Unit) {
		return reading.Refuse("bad_utf8", "the unit of the value %q is not valid UTF-8", name)
	}
	for _, r := range c.Unit {
		if unicode.IsControl(r) {
			return reading.Refuse("bad_describe", "the unit of the value %q holds a control character", name)
		}
	}
	return nil
}

// inLine puts the number of the line before a refusal's message.
func inLine(line int, err error) error {
	if e, ok := err.(*reading.Error); ok {
		return &reading.Error{Code: e.Code, Message: fmt.Sprintf("line %d: %s", line, e.Message)}
	}
	return err
}
