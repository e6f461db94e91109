package collectors

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"readout/server/reading"
)

// Process measures the programs that use most of this machine: the ten first
// by processor time and the ten first by memory, but none that has less than a
// hundredth of the memory of the first or hardly runs. Processes of one name
// count as one program.
//
// cpu is percent of all processors together, as in the topic cpu, since the
// collection before; a process that begins and ends between two collections is
// not seen. memory is the main memory that a program holds, in bytes: of each of
// its processes what belongs to it alone, and once what they share. count is the
// number of its processes. Threads of the kernel count as programs too
// (kworker, ksoftirqd), dead processes do not.
//
// By processor time the order is that of the last half minute, so that programs
// do not come and go every second. The first collection only remembers where
// the counters stand. Only Linux is read.
type Process struct {
	things
	reader processReader
	recent map[string]float64 // cpu by name, decaying
}

const (
	programsEach     = 10
	recentShare      = 0.1  // of the last collection in recent
	recentNegligible = 0.05 // percent; below it, recent forgets a name
)

// program is what all processes of a name do together.
type program struct {
	name     string
	cpu      float64 // percent of all processors
	memory   uint64  // bytes; more than the truth until measured
	measured bool
	count    int
	recent   float64
}

// NewProcess makes the collector of the topics
// process{host="...",name="postgres"}. The error says why host cannot be a label.
func NewProcess(host string) (*Process, error) {
	columns := slices.Concat(gauges("percent", "cpu"), gauges("bytes", "memory"), gauges("processes", "count"))
	things, err := newThings("process", "name", host, columns)
	if err != nil {
		return nil, err
	}
	return &Process{things: things, recent: map[string]float64{}}, nil
}

// Name is process.
func (p *Process) Name() string { return "process" }

// Interval is 2 seconds.
func (p *Process) Interval() time.Duration { return 2 * time.Second }

// Collect reads one small file for each process, and a second for some.
func (p *Process) Collect(ctx context.Context) ([]reading.Reading, error) {
	programs, err := p.reader.read(ctx)
	if err != nil || programs == nil {
		return nil, err
	}
	p.remember(programs)
	shown := map[string]program{}
	slices.SortFunc(programs, func(a, b program) int {
		return cmp.Or(cmp.Compare(b.recent, a.recent), strings.Compare(a.name, b.name))
	})
	for i := range min(programsEach, len(programs)) {
		if one := &programs[i]; one.recent > 0 {
			p.reader.measure(ctx, one)
			shown[one.name] = *one
		}
	}
	for _, one := range p.largest(ctx, programs) {
		shown[one.name] = one
	}
	now := time.Now().UnixMilli()
	var readings []reading.Reading
	for _, name := range slices.Sorted(maps.Keys(shown)) {
		topic, ok := p.topic(name)
		if !ok {
			continue
		}
		one := shown[name]
		readings = append(readings, reading.Reading{Topic: topic, Time: now, Values: []reading.Named{
			share("cpu", one.cpu, 100), whole("memory", one.memory), whole("count", uint64(one.count)),
		}})
	}
	return readings, nil
}

// largest returns the ten programs with the most memory, in that order. It
// measures as few as it can: no program has more than it seemed to have.
func (p *Process) largest(ctx context.Context, programs []program) []program {
	more := func(a, b program) int {
		return cmp.Or(cmp.Compare(b.memory, a.memory), strings.Compare(a.name, b.name))
	}
	slices.SortFunc(programs, more)
	var list []program
	for i := range programs {
		one := &programs[i]
		if one.memory == 0 || len(list) == programsEach && list[programsEach-1].memory >= one.memory {
			break
		}
		if len(list) > 0 && one.memory < list[0].memory/100 {
			break
		}
		p.reader.measure(ctx, one)
		at, _ := slices.BinarySearchFunc(list, *one, more)
		list = slices.Insert(list, at, *one)
		list = list[:min(len(list), programsEach)]
	}
	return list
}

// remember moves recent towards what programs use now.
func (p *Process) remember(programs []program) {
	next := make(map[string]float64, len(p.recent))
	for i := range programs {
		one := &programs[i]
		one.recent = p.recent[one.name]*(1-recentShare) + one.cpu*recentShare
		if one.recent < recentNegligible {
			one.recent = 0
			continue
		}
		next[one.name] = one.recent
	}
	p.recent = next
}
