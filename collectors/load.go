package collectors

import (
	"context"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/load"

	"readout/server/reading"
)

// Load measures how many processes ran or waited to run on the average of 1, 5
// and 15 minutes; Linux counts those that wait for a disk too. cores is how many
// processors there are for them: a load above it means that they queue.
type Load struct {
	topic   reading.Topic
	cores   int
	counted time.Time // when cores was; it is looked up again after a minute
}

// NewLoad makes the collector of topic load{host="..."}. The error says why
// host cannot be a label.
func NewLoad(host string) (*Load, error) {
	topic, err := reading.NewTopic("load", reading.Label{Name: "host", Value: host})
	if err != nil {
		return nil, err
	}
	return &Load{topic: topic}, nil
}

// Name is load.
func (l *Load) Name() string { return "load" }

// Interval is one second, though Linux computes the figures every 5 s.
func (l *Load) Interval() time.Duration { return time.Second }

// Describe gives the three averages, which have no unit, and cores.
func (l *Load) Describe() Description {
	return Description{l.topic: gauges("", "load1", "load5", "load15", "cores")}
}

// Collect asks the system once.
func (l *Load) Collect(ctx context.Context) ([]reading.Reading, error) {
	average, err := load.AvgWithContext(ctx)
	if err != nil {
		return nil, err
	}
	if l.cores == 0 || time.Since(l.counted) >= time.Minute {
		if l.cores, err = cpu.CountsWithContext(ctx, true); err != nil {
			return nil, err
		}
		l.counted = time.Now()
	}
	return []reading.Reading{{Topic: l.topic, Time: time.Now().UnixMilli(), Values: []reading.Named{
		{Name: "load1", Value: reading.NumberOf(average.Load1)},
		{Name: "load5", Value: reading.NumberOf(average.Load5)},
		{Name: "load15", Value: reading.NumberOf(average.Load15)},
		whole("cores", uint64(max(l.cores, 0))),
	}}}, nil
}
