package hub

import (
	"math"
	"slices"

	"readout/server/reading"
)

// Rates makes rates out of counters. list holds readings of one topic in the
// order of its stream. Columns of kind counter become gauges: the growth a
// second since the reading before that has the column. Counters of bytes become
// bytes/s, of x x/s, those without a unit /s; counters of a time become a ratio,
// 1 when the time grows as fast as the clock. All other columns stay.
//
// A rate is missing (the zero Value) in the first reading and in one that is not
// later than the one before. A counter that is smaller than before began again at 0.
// Readings without a counter are shared with list; nothing of list is changed.
func Rates(columns []reading.Column, list []reading.Reading) ([]reading.Column, []reading.Reading) {
	counters := countersOf(columns)
	if len(counters) == 0 {
		return columns, list
	}
	columns = slices.Clone(columns)
	for i, c := range columns {
		if c.Kind == reading.Counter {
			unit, _ := rateUnit(c.Unit)
			columns[i] = reading.Column{Name: c.Name, Unit: unit, Kind: reading.Gauge}
		}
	}
	var m meter
	m.count(counters)
	return columns, m.rates(list)
}

// counter is a column that is shown as a rate.
type counter struct {
	name string
	unit float64 // seconds in the counter's unit if that is a time, else 1
}

// countersOf returns the counters among columns, in their order.
func countersOf(columns []reading.Column) []counter {
	var counters []counter
	for _, c := range columns {
		if c.Kind == reading.Counter {
			_, unit := rateUnit(c.Unit)
			counters = append(counters, counter{c.Name, unit})
		}
	}
	return counters
}

// rateUnit is the unit of a rate, and what a difference is multiplied with before
// it is divided by seconds.
func rateUnit(unit string) (string, float64) {
	switch unit {
	case "s", "seconds":
		return "ratio", 1
	case "ms":
		return "ratio", 1e-3
	case "us", "µs":
		return "ratio", 1e-6
	case "ns":
		return "ratio", 1e-9
	}
	return unit + "/s", 1
}

// meter is where the counters of one topic were, so that the readings that
// follow become rates. The zero meter knows no counter.
type meter struct {
	counters []counter
	last     []metered // beside counters
}

// metered is the last reading that had a counter.
type metered struct {
	time  int64 // ms
	value float64
	known bool
}

// count takes over which columns are counters and keeps where they were.
func (m *meter) count(counters []counter) {
	last := make([]metered, len(counters))
	for i, c := range counters {
		if at := slices.IndexFunc(m.counters, func(o counter) bool { return o.name == c.name }); at >= 0 {
			last[i] = m.last[at]
		}
	}
	m.counters, m.last = counters, last
}

// read moves the meter past readings of which nobody needs the rates.
func (m *meter) read(list []reading.Reading) {
	for i := range list {
		for at, v := range list[i].Values {
			if c := m.counter(at, v.Name); c >= 0 {
				m.rate(c, list[i].Time, v.Value)
			}
		}
	}
}

// rates returns the readings with rates in the place of counters.
func (m *meter) rates(list []reading.Reading) []reading.Reading {
	if len(m.counters) == 0 {
		return list
	}
	n := 0
	for i := range list {
		n += len(list[i].Values)
	}
	values := make([]reading.Named, 0, n) // one piece of memory for all of them
	rated := make([]reading.Reading, len(list))
	for i, r := range list {
		from := len(values)
		some := false
		for at, v := range r.Values {
			if c := m.counter(at, v.Name); c >= 0 {
				v.Value, some = m.rate(c, r.Time, v.Value), true
			}
			values = append(values, v)
		}
		rated[i] = r
		if some {
			rated[i].Values = values[from:len(values):len(values)]
		} else {
			values = values[:from]
		}
	}
	return rated
}

// counter returns the place of a column among the counters, or -1. Senders keep
// their order, so the place in the reading is tried first.
func (m *meter) counter(at int, name string) int {
	if at < len(m.counters) && m.counters[at].name == name {
		return at
	}
	for i := range m.counters {
		if m.counters[i].name == name {
			return i
		}
	}
	return -1
}

// rate moves one counter on and returns its rate, or the missing value.
func (m *meter) rate(c int, time int64, v reading.Value) reading.Value {
	now, ok := v.Number()
	if !ok {
		return reading.Value{}
	}
	before := m.last[c]
	m.last[c] = metered{time, now, true}
	if !before.known || time <= before.time {
		return reading.Value{}
	}
	grown := now - before.value
	if now < before.value {
		grown = now
	}
	rate := grown * m.counters[c].unit * 1000 / float64(time-before.time)
	if rate < 0 || math.IsInf(rate, 0) || math.IsNaN(rate) { // a counter is not negative
		return reading.Value{}
	}
	return reading.NumberOf(rate)
}
