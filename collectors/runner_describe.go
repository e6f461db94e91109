package collectors

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"readout/server/reading"
)

// This file is how a topic that appears while a Runner runs gets its units: a
// disk that was plugged in, a process that was started.

// mostKnown bounds the topics that a Runner remembers of one collector. Beyond
// it forgets them all, which costs no more than describing them again.
const mostKnown = 10_000

// Describer is a Sink that also keeps what columns mean. Before the Append that
// brings a topic or a column for the first time, the Runner asks the collector
// again what it describes, and passes on what that says of the new ones.
type Describer interface {
	Describe(ctx context.Context, description Description) error
}

// Feeds reports whether topic is one of those that the collectors described
// before the start, or that came from them since. It may be called at any time.
func (r *Runner) Feeds(topic reading.Topic) bool {
	for _, j := range r.jobs {
		j.mu.Lock()
		_, known := j.known[topic]
		j.mu.Unlock()
		if known || topic == j.self {
			return true
		}
	}
	return false
}

// describe tells the sink of the topics and columns that these readings bring
// for the first time. What the sink does not take is tried again with the next
// collection: a figure without its unit would stay so for good.
func (r *Runner) describe(ctx context.Context, j *job, readings []reading.Reading) {
	fresh := j.fresh(readings)
	if len(fresh) == 0 {
		return
	}
	within, cancel := context.WithTimeout(ctx, j.timeout)
	defer cancel()
	err := guard(func() error {
		sink, ok := r.sink.(Describer)
		if !ok {
			return nil
		}
		all, some := j.collector.Describe(), Description{}
		for _, item := range fresh {
			if columns := all[item.Topic]; len(columns) > 0 {
				some[item.Topic] = columns
			}
		}
		if len(some) == 0 {
			return nil
		}
		return sink.Describe(within, some)
	})
	name := slog.String("collector", j.collector.Name())
	switch {
	case err == nil:
		j.learn(nil, fresh)
		if failed, since := j.units.works(); failed > 0 {
			r.log.Info("units are stored again", name, "failures", failed, "after", time.Since(since).Round(time.Millisecond))
		}
	case ctx.Err() == nil && j.units.fails(kindOf(err)):
		r.log.Warn("units are not stored; trying again with every collection", name, "err", err)
	}
}

// fresh returns the readings with a topic or a column that is not known yet.
func (j *job) fresh(readings []reading.Reading) []reading.Reading {
	j.mu.Lock()
	defer j.mu.Unlock()
	var fresh []reading.Reading
	for _, item := range readings {
		names, known := j.known[item.Topic]
		if !known || slices.ContainsFunc(item.Values, func(v reading.Named) bool { return !slices.Contains(names, v.Name) }) {
			fresh = append(fresh, item)
		}
	}
	return fresh
}

// learn notes topics with their columns, those that are described and those of readings.
func (j *job) learn(described Description, readings []reading.Reading) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.known == nil || len(j.known) > mostKnown {
		j.known = map[reading.Topic][]string{}
	}
	note := func(topic reading.Topic, name string) {
		if !slices.Contains(j.known[topic], name) {
			j.known[topic] = append(j.known[topic], name)
		}
	}
	for topic, columns := range described {
		for _, c := range columns {
			note(topic, c.Name)
		}
	}
	for _, item := range readings {
		for _, v := range item.Values {
			note(item.Topic, v.Name)
		}
	}
}
