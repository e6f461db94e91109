package collectors

import (
	"context"
	"errors"
	"math"
	"runtime"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"

	"readout/server/reading"
)

// CPU measures how the processors of this machine spent their time, in percent
// of all of them together, since its collection before. Its first collection
// only remembers where the counters stand and returns no reading: the counters
// begin at boot, and an average since boot next to an average of one second
// would show as a spike that never was.
type CPU struct {
	topic reading.Topic
	last  *cpuTimes // nil before the first collection; only Collect touches it
	linux bool
}

// cpuTimes are seconds since boot, summed over all processors.
type cpuTimes struct{ user, nice, system, idle, iowait, irq, steal float64 }

// NewCPU makes the collector of topic cpu{host="..."}. The error says why host
// cannot be a label.
func NewCPU(host string) (*CPU, error) {
	topic, err := reading.NewTopic("cpu", reading.Label{Name: "host", Value: host})
	if err != nil {
		return nil, err
	}
	return &CPU{topic: topic, linux: runtime.GOOS == "linux"}, nil
}

// Name is cpu.
func (c *CPU) Name() string { return "cpu" }

// Interval is one second.
func (c *CPU) Interval() time.Duration { return time.Second }

// Describe gives every column, all of them percentages.
func (c *CPU) Describe() Description {
	var columns []reading.Column
	for _, v := range (cpuTimes{}).shares(1, c.linux) {
		columns = append(columns, reading.Column{Name: v.Name, Unit: "percent", Kind: reading.Gauge})
	}
	return Description{c.topic: columns}
}

// Collect reads the counters of the kernel.
func (c *CPU) Collect(ctx context.Context) ([]reading.Reading, error) {
	list, err := cpu.TimesWithContext(ctx, false)
	if err != nil {
		return nil, err
	}
	if len(list) != 1 {
		return nil, errors.New("the system reports no processor times")
	}
	t := list[0]
	// Time spent in virtual machines (Guest) is already part of User and Nice.
	now := cpuTimes{t.User, t.Nice, t.System, t.Idle, t.Iowait, t.Irq + t.Softirq, t.Steal}
	last := c.last
	if last == nil {
		c.last = &now
		return nil, nil
	}
	passed := now.since(*last)
	total := passed.total()
	if total == 0 && now == *last {
		return nil, nil // the counters have not ticked yet; the next collection covers this time too
	}
	c.last = &now
	if total == 0 {
		return nil, nil // they all went back, as when a virtual machine is restored; begin anew
	}
	return []reading.Reading{{
		Topic:  c.topic,
		Time:   time.Now().UnixMilli(),
		Values: passed.shares(total, c.linux),
	}}, nil
}

// since returns what passed from an earlier reading to this one. A counter may
// go back (iowait does on Linux, and all do when a processor is taken away);
// then nothing passed in it.
func (t cpuTimes) since(earlier cpuTimes) cpuTimes {
	return cpuTimes{
		user:   max(0, t.user-earlier.user),
		nice:   max(0, t.nice-earlier.nice),
		system: max(0, t.system-earlier.system),
		idle:   max(0, t.idle-earlier.idle),
		iowait: max(0, t.iowait-earlier.iowait),
		irq:    max(0, t.irq-earlier.irq),
		steal:  max(0, t.steal-earlier.steal),
	}
}

func (t cpuTimes) total() float64 {
	return t.user + t.nice + t.system + t.idle + t.iowait + t.irq + t.steal
}

// shares turns seconds into percent of total. busy is everything but waiting
// (idle and iowait). Only Linux counts iowait, irq and steal; elsewhere they
// are left out, since a 0 that nobody measured would be a lie.
func (t cpuTimes) shares(total float64, linux bool) []reading.Named {
	percent := func(name string, seconds float64) reading.Named {
		return reading.Named{Name: name, Value: reading.NumberOf(math.Round(seconds/total*1e4) / 100)}
	}
	values := []reading.Named{
		percent("busy", total-t.idle-t.iowait),
		percent("user", t.user),
		percent("system", t.system),
		percent("nice", t.nice),
		percent("idle", t.idle),
	}
	if linux {
		values = append(values, percent("iowait", t.iowait), percent("irq", t.irq), percent("steal", t.steal))
	}
	return values
}
