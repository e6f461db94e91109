package collectors

import (
	"context"
	"time"

	"readout/server/reading"
)

// Pressure measures for which part of the last 10 and 60 seconds programs stood
// still for want of a resource (cpu, memory, io), in percent: some10 and some60
// while at least one of them did, full10 and full60 while all did. The kernel
// has no full for the processors of a whole machine, so there is none for cpu.
// Only Linux knows pressure, and only where it is not switched off (psi=0);
// elsewhere there are no readings.
type Pressure struct {
	reader    pressureReader
	resources []pressureOf
}

// pressureOf is one resource; seen is true once it has been read.
type pressureOf struct {
	name    string
	topic   reading.Topic
	columns []reading.Column
	seen    bool
}

// pressureStat are percentages.
type pressureStat struct {
	some10, some60, full10, full60 float64
	some, full                     bool // which of them are told
}

// NewPressure makes the collector of the topics
// pressure{host="...",resource="memory"}. The error says why host cannot be a label.
func NewPressure(host string) (*Pressure, error) {
	p := &Pressure{}
	for _, name := range [...]string{"cpu", "memory", "io"} {
		topic, err := reading.NewTopic("pressure", reading.Label{Name: "host", Value: host}, reading.Label{Name: "resource", Value: name})
		if err != nil {
			return nil, err
		}
		columns := gauges("percent", "some10", "some60", "full10", "full60")
		if name == "cpu" {
			columns = columns[:2]
		}
		p.resources = append(p.resources, pressureOf{name: name, topic: topic, columns: columns})
	}
	return p, nil
}

// Name is pressure.
func (p *Pressure) Name() string { return "pressure" }

// Interval is one second, though the kernel computes the figures every 2 s.
func (p *Pressure) Interval() time.Duration { return time.Second }

// Describe gives the resources that have been seen, all in percent.
func (p *Pressure) Describe() Description {
	described := Description{}
	for _, r := range p.resources {
		if r.seen {
			described[r.topic] = r.columns
		}
	}
	return described
}

// Collect reads one file for each resource.
func (p *Pressure) Collect(ctx context.Context) ([]reading.Reading, error) {
	now := time.Now().UnixMilli()
	var readings []reading.Reading
	for i := range p.resources {
		r := &p.resources[i]
		stat, err := p.reader.read(ctx, r.name)
		if err != nil {
			return nil, err
		}
		if !stat.some {
			continue
		}
		r.seen = true
		values := []reading.Named{
			{Name: "some10", Value: reading.NumberOf(stat.some10)},
			{Name: "some60", Value: reading.NumberOf(stat.some60)},
		}
		if stat.full && len(r.columns) > len(values) {
			values = append(values,
				reading.Named{Name: "full10", Value: reading.NumberOf(stat.full10)},
				reading.Named{Name: "full60", Value: reading.NumberOf(stat.full60)})
		}
		readings = append(readings, reading.Reading{Topic: r.topic, Time: now, Values: values})
	}
	return readings, nil
}
