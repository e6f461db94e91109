package collectors

import (
	"context"
	"time"

	"readout/server/reading"
)

// Swap measures the memory that is moved to disk. On Linux it also counts the
// bytes moved there (swapped_out) and back (swapped_in) since boot: it is their
// rate that tells whether a machine has too little memory. A machine without
// swap has no readings.
type Swap struct {
	topic  reading.Topic
	reader swapReader
	seen   bool // there is swap; only Collect and Describe touch it
}

// swapStat is what a system tells of its swap, in bytes.
type swapStat struct {
	total, free uint64
	in, out     uint64 // since boot
	counted     bool   // in and out are told
}

// NewSwap makes the collector of topic swap{host="..."}. The error says why
// host cannot be a label.
func NewSwap(host string) (*Swap, error) {
	topic, err := reading.NewTopic("swap", reading.Label{Name: "host", Value: host})
	if err != nil {
		return nil, err
	}
	return &Swap{topic: topic}, nil
}

// Name is swap.
func (s *Swap) Name() string { return "swap" }

// Interval is one second.
func (s *Swap) Interval() time.Duration { return time.Second }

// Describe gives bytes and used_percent, and the counters where there are any,
// once swap has been seen.
func (s *Swap) Describe() Description {
	if !s.seen {
		return nil
	}
	columns := gauges("bytes", "used", "free", "total")
	columns = append(columns, gauges("percent", "used_percent")...)
	if swapCounted {
		columns = append(columns, counters("bytes", "swapped_in", "swapped_out")...)
	}
	return Description{s.topic: columns}
}

// Collect asks the system once.
func (s *Swap) Collect(ctx context.Context) ([]reading.Reading, error) {
	stat, err := s.reader.read(ctx)
	if err != nil || stat.total == 0 {
		return nil, err
	}
	s.seen = true
	free := min(stat.free, stat.total)
	values := []reading.Named{
		whole("used", stat.total-free),
		whole("free", free),
		whole("total", stat.total),
		share("used_percent", float64(stat.total-free), float64(stat.total)),
	}
	if stat.counted {
		values = append(values, whole("swapped_in", stat.in), whole("swapped_out", stat.out))
	}
	return []reading.Reading{{Topic: s.topic, Time: time.Now().UnixMilli(), Values: values}}, nil
}
