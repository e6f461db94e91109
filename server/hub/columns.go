package hub

import (
	"slices"
	"strings"

	"readout/server/reading"
)

// variant is how a flow gets a topic's readings. In topics without counters all
// flows get them as they are stored.
type variant uint8

const (
	asStored variant = iota
	asRates
)

// naming is what a topic's columns are called and what they mean. It is guarded
// by streamer.mu.
type naming struct {
	columns  []string    // grows, never shrinks or reorders
	units    [2][]string // beside columns, in both variants
	counters []counter   // those of columns that are counters
	version  int         // grows when columns or units change
}

func (n *naming) isCounter(name string) bool {
	return slices.ContainsFunc(n.counters, func(c counter) bool { return c.name == name })
}

// describe takes over units and kinds. changed says that viewers must be told,
// and turned that a column they know became a counter or ceased to be one.
func (n *naming) describe(known []reading.Column) (changed, turned bool) {
	var counters []counter
	units := [2][]string{make([]string, len(n.columns)), make([]string, len(n.columns))}
	for i, name := range n.columns {
		c := described(known, i, name)
		units[asStored][i], units[asRates][i] = c.Unit, c.Unit
		counts := c.Kind == reading.Counter
		if counts {
			var unit float64
			units[asRates][i], unit = rateUnit(c.Unit)
			counters = append(counters, counter{name, unit})
		}
		if i < len(n.units[asStored]) && (counts != n.isCounter(name) || counts && c.Unit != n.units[asStored][i]) {
			turned = true
		}
	}
	changed = turned || !slices.Equal(units[asStored], n.units[asStored]) || !slices.Equal(units[asRates], n.units[asRates])
	if changed {
		n.units, n.counters = units, counters
		n.version++
	}
	return changed, turned
}

// described finds a column; the catalog nearly always has them in the same order.
func described(known []reading.Column, at int, name string) reading.Column {
	if at < len(known) && known[at].Name == name {
		return known[at]
	}
	if i := slices.IndexFunc(known, func(c reading.Column) bool { return c.Name == name }); i >= 0 {
		return known[i]
	}
	return reading.Column{Name: name}
}

// learn adds the columns that entries bring, in the order of the newest reading.
// The caller holds st.mu.
func (st *streamer) learn(entries []reading.Entry) {
	grew := false
	n := &st.naming
	for i := len(entries) - 1; i >= 0; i-- {
		for _, r := range slices.Backward(entries[i].Readings) {
			for at, v := range r.Values {
				if at < len(n.columns) && n.columns[at] == v.Name || len(n.columns) >= maxColumns || slices.Contains(n.columns, v.Name) {
					continue
				}
				// A name read from Redis may be part of a large reply; keep only the name.
				n.columns = append(n.columns, strings.Clone(v.Name))
				grew = true
			}
		}
	}
	if grew {
		st.describe()
	}
}

// describe asks what the columns mean, after they grew or were described anew.
// The caller holds st.mu.
func (st *streamer) describe() {
	changed, turned := st.naming.describe(st.hub.o.Columns(st.topic))
	if !changed || !st.rating {
		return
	}
	st.ring.rate(st.naming.counters, turned)
	if !turned {
		return
	}
	for f := range st.flows {
		if f.rates {
			st.beginAnew(f)
		}
	}
}

// wantRates makes rates from now on, because a flow asks for them. The caller holds st.mu.
func (st *streamer) wantRates() {
	if !st.rating {
		st.rating = true
		st.ring.rate(st.naming.counters, false)
	}
}

// variant is what a flow is sent. The caller holds st.mu.
func (st *streamer) variant(f *flow) variant {
	if f.rates && st.ring.meter != nil {
		return asRates
	}
	return asStored
}

// rated returns readings that were read from the store in the variant of a flow.
// m goes on from read to read. The caller holds st.mu.
func (st *streamer) rated(f *flow, m *meter, list []reading.Reading) []reading.Reading {
	if st.variant(f) == asStored {
		return list
	}
	m.count(st.naming.counters)
	return m.rates(list)
}
