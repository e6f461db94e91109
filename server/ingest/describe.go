package ingest

import (
	"fmt"

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
		columns, err := d.describeColumns()
		d.request.Describe = append(d.request.Describe, Description{Topic: topic, Columns: columns})
		return err
	})
}

func (d *decoder) describeColumns() (columns []reading.Column, err error) {
	described := map[string]bool{}
	return columns, d.object(func(at int, key []byte) error {
		name := string(key)
		if described[name] {
			return d.duplicate(at, key)
		}
		if len(columns) == reading.MaxValues {
			return reading.Refuse("too_many_values", "more than %d values of one topic are described", reading.MaxValues)
		}
		if d.next() != '{' {
			return d.fail("the description of a value is an object of unit and kind, found %s", d.found())
		}
		described[name] = true
		column, err := d.column(name)
		columns = append(columns, column)
		return err
	})
}

// column reads {"unit":"percent","kind":"gauge"}, whose { is next.
func (d *decoder) column(name string) (reading.Column, error) {
	column := reading.Column{Name: name}
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
		return reading.Column{}, err
	}
	return column, column.Validate()
}

// inLine puts the number of the line before a refusal's message.
func inLine(line int, err error) error {
	if e, ok := err.(*reading.Error); ok {
		return &reading.Error{Code: e.Code, Message: fmt.Sprintf("line %d: %s", line, e.Message)}
	}
	return err
}
