package collectors

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"

	"readout/server/reading"
)

// Cores measures how busy each processor of this machine was since the
// collection before, in percent: core0, core1... Busy is everything but idle
// and waiting for a disk. Its first collection only remembers the counters, as
// CPU does. A processor that is switched off has no value; of more than 256
// processors the first 256 are told.
type Cores struct {
	topic reading.Topic
	names []string // of every core seen, by number; only Collect and Describe touch it
	last  map[int]cpuTimes
}

// NewCores makes the collector of topic cpu_cores{host="..."}. The error says
// why host cannot be a label.
func NewCores(host string) (*Cores, error) {
	topic, err := reading.NewTopic("cpu_cores", reading.Label{Name: "host", Value: host})
	if err != nil {
		return nil, err
	}
	return &Cores{topic: topic, last: map[int]cpuTimes{}}, nil
}

// Name is cores.
func (c *Cores) Name() string { return "cores" }

// Interval is one second.
func (c *Cores) Interval() time.Duration { return time.Second }

// Describe gives the processors that have been seen, in percent.
func (c *Cores) Describe() Description {
	if len(c.names) == 0 {
		return nil
	}
	return Description{c.topic: gauges("percent", c.names...)}
}

// Collect reads the counters of the kernel.
func (c *Cores) Collect(ctx context.Context) ([]reading.Reading, error) {
	list, err := cpu.TimesWithContext(ctx, true)
	if err != nil {
		return nil, err
	}
	var values []reading.Named
	for _, t := range list {
		number, err := strconv.Atoi(strings.TrimPrefix(t.CPU, "cpu"))
		if err != nil || number < 0 || number >= reading.MaxValues {
			continue
		}
		now := cpuTimes{t.User, t.Nice, t.System, t.Idle, t.Iowait, t.Irq + t.Softirq, t.Steal}
		last, known := c.last[number]
		passed := now.since(last)
		total := passed.total()
		if known && total == 0 && now == last {
			continue // has not ticked yet; the next collection covers this time too
		}
		c.last[number] = now
		if !known || total == 0 {
			continue
		}
		for len(c.names) <= number {
			c.names = append(c.names, "core"+strconv.Itoa(len(c.names)))
		}
		values = append(values, share(c.names[number], total-passed.idle-passed.iowait, total))
	}
	if len(values) == 0 {
		return nil, nil
	}
	return []reading.Reading{{Topic: c.topic, Time: time.Now().UnixMilli(), Values: values}}, nil
}
