package collectors

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"

	"readout/server/reading"
)

// hostCollectors are the collectors of this machine in the order of their use,
// with the systems that have them; none named means all.
func hostCollectors() []hostCollector {
	return []hostCollector{
		{name: "cpu", make: func(host string) (Collector, error) { return NewCPU(host) }},
		{name: "cores", make: func(host string) (Collector, error) { return NewCores(host) }},
		{name: "load", make: func(host string) (Collector, error) { return NewLoad(host) }},
		{name: "memory", make: func(host string) (Collector, error) { return NewMemory(host) }},
		{name: "swap", make: func(host string) (Collector, error) { return NewSwap(host) }},
		{name: "disk", make: func(host string) (Collector, error) { return NewDisk(host) }},
		{name: "filesystem", make: func(host string) (Collector, error) { return NewFilesystem(host) }},
		{name: "network", make: func(host string) (Collector, error) { return NewNetwork(host) }},
		{name: "pressure", only: "linux", make: func(host string) (Collector, error) { return NewPressure(host) }},
		{name: "process", only: "linux", make: func(host string) (Collector, error) { return NewProcess(host) }},
		{name: "temperature", only: "linux", make: func(host string) (Collector, error) { return NewTemperature(host) }},
	}
}

type hostCollector struct {
	name, only string
	make       func(host string) (Collector, error)
}

// NewHost makes all collectors that this operating system has, with host as the
// label of that name in every topic. The error says why host cannot be a label.
func NewHost(host string) ([]Collector, error) {
	var list []Collector
	for _, h := range hostCollectors() {
		if h.only != "" && h.only != runtime.GOOS {
			continue
		}
		c, err := h.make(host)
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, nil
}

// hostNames are the names that newHostCollector takes here.
func hostNames() []string {
	var names []string
	for _, h := range hostCollectors() {
		if h.only == "" || h.only == runtime.GOOS {
			names = append(names, h.name)
		}
	}
	return names
}

// newHostCollector makes one of NewHost by its name. The error says that there
// is none, that this system has none, or why host cannot be a label.
func newHostCollector(name, host string) (Collector, error) {
	list := hostCollectors()
	i := slices.IndexFunc(list, func(h hostCollector) bool { return h.name == name })
	switch {
	case i < 0:
		return nil, fmt.Errorf("there is no collector %s; choose from %s", reading.Quote(name), strings.Join(hostNames(), ", "))
	case list[i].only != "" && list[i].only != runtime.GOOS:
		return nil, fmt.Errorf("the collector %s needs %s; this is %s", name, list[i].only, runtime.GOOS)
	}
	return list[i].make(host)
}

// mostThings bounds what a collector remembers of things that come and go.
const mostThings = 1000

// things are the topics of a collector whose things come and go, disks or
// processes: one topic for each value of a label, all with the same columns.
type things struct {
	name, label, host string
	columns           []reading.Column
	topics            map[string]reading.Topic // empty for a value that cannot be a label
}

// newThings fails when host cannot be a label.
func newThings(name, label, host string, columns []reading.Column) (things, error) {
	_, err := reading.NewTopic(name, reading.Label{Name: "host", Value: host})
	return things{name: name, label: label, host: host, columns: columns, topics: map[string]reading.Topic{}}, err
}

// topic returns the topic of a thing; false when its name cannot be a label.
func (t *things) topic(value string) (reading.Topic, bool) {
	topic, known := t.topics[value]
	if !known {
		if len(t.topics) >= mostThings {
			clear(t.topics)
		}
		made, err := reading.NewTopic(t.name, reading.Label{Name: t.label, Value: value}, reading.Label{Name: "host", Value: t.host})
		if err == nil {
			topic = made
		}
		t.topics[value] = topic
	}
	return topic, topic != ""
}

// Describe gives the columns of the things that have been seen.
func (t *things) Describe() Description {
	described := Description{}
	for _, topic := range t.topics {
		if topic != "" {
			described[topic] = t.columns
		}
	}
	return described
}

// whole makes a value of a count or of bytes.
func whole(name string, n uint64) reading.Named {
	return reading.Named{Name: name, Value: reading.NumberOf(float64(n))}
}

// share makes a value in percent, with two decimals: part of all, which is
// above 0.
func share(name string, part, all float64) reading.Named {
	return reading.Named{Name: name, Value: reading.NumberOf(math.Round(part/all*1e4) / 100)}
}

// gauges describes columns that are levels of one unit.
func gauges(unit string, names ...string) []reading.Column {
	columns := make([]reading.Column, len(names))
	for i, name := range names {
		columns[i] = reading.Column{Name: name, Unit: unit, Kind: reading.Gauge}
	}
	return columns
}

// counters describes columns that only grow, of one unit.
func counters(unit string, names ...string) []reading.Column {
	columns := gauges(unit, names...)
	for i := range columns {
		columns[i].Kind = reading.Counter
	}
	return columns
}
