// Package collectors measures things on a schedule and hands the readings to a
// Sink. A Collector knows what to measure and nothing of schedules, retries or
// the network; the Runner knows when; a Sink knows where to: the store of the
// same process, or the Pusher, which sends over HTTP.
//
//	cpu.go, memory.go ...    -> runner.go -> Sink: store.Append in process
//	probe.go, scrape.go ...                        push.go: batch, gzip, retry, POST /api/v1/readings
//	  (through guard.go)                             spool.go: on disk while the server is away
//
// items.go reads what the user chose.
package collectors

import (
	"cmp"
	"context"
	"maps"
	"os"
	"slices"
	"time"

	"readout/server/reading"
)

// Collector produces readings of one kind of thing.
type Collector interface {
	// Name is short and unique in a Runner: cpu, memory.
	Name() string
	// Interval is the wished time from one collection to the next, above 0.
	Interval() time.Duration
	// Describe names the unit and kind of every column, as far as topics are
	// known before the first collection. It may be nil.
	Describe() Description
	// Collect measures once. It should end with ctx; the Runner goes on without
	// it when it does not. It is never called again before it has returned.
	// No readings and no error is a success that had nothing to say.
	Collect(ctx context.Context) ([]reading.Reading, error)
}

// Sink takes readings. Append returns when the sink has them, which for the
// store means stored and for the Pusher means queued in memory.
type Sink interface {
	Append(ctx context.Context, readings []reading.Reading) error
}

// Description says what the columns of topics mean: topic, then value name. As
// JSON it is the "describe" object of POST /api/v1/readings.
type Description map[reading.Topic][]reading.Column

// MarshalJSON prints the columns of each topic in their order, which pages keep.
func (d Description) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, topic := range slices.Sorted(maps.Keys(d)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(reading.AppendJSONString(b, string(topic)), ":{"...)
		for i, c := range d[topic] {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(reading.AppendJSONString(b, c.Name), `:{"unit":`...)
			b = append(reading.AppendJSONString(b, c.Unit), `,"kind":`...)
			b = append(reading.AppendJSONString(b, c.Kind), '}')
		}
		b = append(b, '}')
	}
	return append(b, '}'), nil
}

// Describe joins what several collectors describe and the self readings that a
// Runner makes for them under this host; empty for this machine's name. Names
// that cannot be labels are left out, since NewRunner refuses them.
func Describe(list []Collector, host string) Description {
	all := Description{}
	for _, c := range list {
		maps.Copy(all, c.Describe())
		if topic, err := selfTopic(c, host); err == nil {
			all[topic] = []reading.Column{
				{Name: "duration_ms", Unit: "ms", Kind: reading.Gauge},
				{Name: "success", Kind: reading.State},
				{Name: "readings", Kind: reading.Gauge},
			}
		}
	}
	return all
}

// selfTopic is the topic of what the Runner tells of a collector.
func selfTopic(c Collector, host string) (reading.Topic, error) {
	return reading.NewTopic("readout_collector",
		reading.Label{Name: "collector", Value: c.Name()},
		reading.Label{Name: "host", Value: cmp.Or(host, Host())})
}

// Host is this machine's name, the value of the label host in every topic of
// the host collectors. A machine that does not know its name is localhost.
func Host() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return "localhost"
	}
	return name
}
