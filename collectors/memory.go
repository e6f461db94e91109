package collectors

import (
	"context"
	"errors"
	"math"
	"runtime"
	"time"

	"github.com/shirou/gopsutil/v4/mem"

	"readout/server/reading"
)

// Memory measures the main memory of this machine. available is what programs
// can still get without swapping, used is all the rest, so used and available
// together are total on every system.
type Memory struct {
	topic reading.Topic
	linux bool
}

// NewMemory makes the collector of topic memory{host="..."}. The error says why
// host cannot be a label.
func NewMemory(host string) (*Memory, error) {
	topic, err := reading.NewTopic("memory", reading.Label{Name: "host", Value: host})
	if err != nil {
		return nil, err
	}
	return &Memory{topic: topic, linux: runtime.GOOS == "linux"}, nil
}

// Name is memory.
func (m *Memory) Name() string { return "memory" }

// Interval is one second.
func (m *Memory) Interval() time.Duration { return time.Second }

// Describe gives every column: used_percent, the others in bytes.
func (m *Memory) Describe() Description {
	var columns []reading.Column
	for _, v := range memoryValues(&mem.VirtualMemoryStat{Total: 1}, m.linux) {
		unit := "bytes"
		if v.Name == "used_percent" {
			unit = "percent"
		}
		columns = append(columns, reading.Column{Name: v.Name, Unit: unit, Kind: reading.Gauge})
	}
	return Description{m.topic: columns}
}

// Collect asks the system once.
func (m *Memory) Collect(ctx context.Context) ([]reading.Reading, error) {
	stat, err := mem.VirtualMemoryWithContext(ctx)
	if err != nil {
		return nil, err
	}
	if stat.Total == 0 {
		return nil, errors.New("the system reports no memory")
	}
	return []reading.Reading{{
		Topic:  m.topic,
		Time:   time.Now().UnixMilli(),
		Values: memoryValues(stat, m.linux),
	}}, nil
}

// memoryValues names the figures; total is above 0. Only Linux tells cached and
// buffers; elsewhere they are left out.
func memoryValues(stat *mem.VirtualMemoryStat, linux bool) []reading.Named {
	available := min(stat.Available, stat.Total)
	used := stat.Total - available
	bytes := func(name string, n uint64) reading.Named {
		return reading.Named{Name: name, Value: reading.NumberOf(float64(n))}
	}
	percent := math.Round(float64(used)/float64(stat.Total)*1e4) / 100
	values := []reading.Named{
		bytes("used", used),
		bytes("available", available),
		bytes("free", stat.Free),
		bytes("total", stat.Total),
	}
	if linux {
		values = append(values, bytes("cached", stat.Cached), bytes("buffers", stat.Buffers))
	}
	return append(values, reading.Named{Name: "used_percent", Value: reading.NumberOf(percent)})
}
