package collectors

import (
	"context"
	"fmt"
	"math"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/shirou/gopsutil/v4/common"

	"readout/server/reading"
)

// procAt makes the collectors read a recorded /proc.
func procAt(t *testing.T, dir string) context.Context {
	return context.WithValue(t.Context(), common.EnvKey, common.EnvMap{common.HostProcEnvKey: "testdata/proc/" + dir})
}

func TestCPUFromProc(t *testing.T) {
	c := must(t, NewCPU)
	// The first collection has nothing to compare with.
	if got, err := c.Collect(procAt(t, "first")); err != nil || got != nil {
		t.Fatalf("first collection: %v, %v; want nothing", got, err)
	}
	// The same counters again: nothing has passed, so nothing can be said.
	if got, err := c.Collect(procAt(t, "first")); err != nil || got != nil {
		t.Fatalf("unmoved counters: %v, %v; want nothing", got, err)
	}
	got, err := c.Collect(procAt(t, "second"))
	if err != nil || len(got) != 1 || got[0].Topic != `cpu{host="web1"}` {
		t.Fatalf("second collection: %+v, %v", got, err)
	}
	// user +60, nice +10, system +40, idle +64, iowait -10 (counts as 0), irq +4+2, steal +20: 200 ticks.
	want := "[busy=68 user=30 system=20 nice=5 idle=32 iowait=0 irq=3 steal=10]"
	if s := valuesText(got[0]); s != want {
		t.Errorf("values %s, want %s", s, want)
	}
	// A restored machine: all counters went back. No reading, but a new beginning.
	if got, err := c.Collect(procAt(t, "back")); err != nil || got != nil {
		t.Fatalf("counters that went back: %v, %v; want nothing", got, err)
	}
	if got, err := c.Collect(procAt(t, "second")); err != nil || len(got) != 1 {
		t.Fatalf("after a new beginning: %v, %v; want a reading", got, err)
	}
}

func TestCoresFromProc(t *testing.T) {
	m := newMachine(t)
	c := must(t, NewCores)
	stat := func(cores ...string) {
		m.write("proc/stat", "cpu  1 1 1 1 1 1 1 1 0 0\n"+strings.Join(cores, "\n")+"\nintr 0\n")
	}
	stat("cpu0 100 0 50 800 50 0 0 0 0 0", "cpu1 100 0 50 800 50 0 0 0 0 0")
	m.expect(c)
	if d := c.Describe(); d != nil {
		t.Errorf("described before they are known: %v", d)
	}
	m.expect(c) // no tick
	// core0: 25 user, 70 idle, 5 waiting; core1 has not ticked.
	stat("cpu0 125 0 50 870 55 0 0 0 0 0", "cpu1 100 0 50 800 50 0 0 0 0 0")
	m.expect(c, `cpu_cores{host="web1"} [core0=25]`)
	// core1 covers the time before too; core3 is new.
	stat("cpu0 125 0 50 970 55 0 0 0 0 0", "cpu1 200 0 50 900 50 0 0 0 0 0", "cpu3 1 0 0 1 0 0 0 0 0 0")
	m.expect(c, `cpu_cores{host="web1"} [core0=0 core1=50]`)
	stat("cpu0 125 0 50 970 55 0 0 0 0 0", "cpu3 2 0 0 1 0 0 0 0 0 0")
	m.expect(c, `cpu_cores{host="web1"} [core3=100]`)
	m.remove("proc/stat")
	m.expect(c)
}

func TestLoadFromProc(t *testing.T) {
	m := newMachine(t)
	m.write("proc/loadavg", "4.18 2.09 1.47 3/245 9742\n")
	m.write("proc/cpuinfo", "processor\t: 0\n\nprocessor\t: 1\n\nprocessor\t: 2\n\n")
	m.expect(must(t, NewLoad), `load{host="web1"} [load1=4.18 load5=2.09 load15=1.47 cores=3]`)
}

func TestMemoryFromProc(t *testing.T) {
	got, err := must(t, NewMemory).Collect(procAt(t, "first"))
	if err != nil || len(got) != 1 || got[0].Topic != `memory{host="web1"}` {
		t.Fatalf("%+v, %v", got, err)
	}
	// Linux counts reclaimable slab as cached.
	want := "[used=1024000000 available=3072000000 free=512000000 total=4096000000 cached=2201600000 buffers=102400000 used_percent=25]"
	if s := valuesText(got[0]); s != want {
		t.Errorf("values %s, want %s", s, want)
	}
}

func TestSwapFromProc(t *testing.T) {
	m := newMachine(t)
	s := must(t, NewSwap)
	m.write("proc/meminfo", "MemTotal: 4000 kB\nSwapTotal:             0 kB\nSwapFree:              0 kB\n")
	m.expect(s) // a machine without swap
	if d := s.Describe(); d != nil {
		t.Errorf("described without swap: %v", d)
	}
	m.write("proc/meminfo", "MemTotal: 4000 kB\nSwapCached: 7 kB\nSwapTotal:       8000000 kB\nSwapFree:        6000000 kB\n")
	m.expect(s, `swap{host="web1"} [used=2048000000 free=6144000000 total=8192000000 used_percent=25]`)
	m.write("proc/vmstat", "pgpgin 1\npswpin 3\npswpout 50\n")
	m.expect(s, fmt.Sprintf(`swap{host="web1"} [used=2048000000 free=6144000000 total=8192000000 used_percent=25 swapped_in=%d swapped_out=%d]`,
		3*os.Getpagesize(), 50*os.Getpagesize()))
}

// Without a file that every Linux has something is wrong with the set-up, and
// its collector says so. What a machine may lack is no failure.
func TestHostCollectorsWithoutProc(t *testing.T) {
	fails := "cpu load memory swap process"
	list, err := NewHost("web1")
	if err != nil {
		t.Fatal(err)
	}
	ctx := newMachine(t).context()
	for _, c := range list {
		got, err := c.Collect(ctx)
		if want := strings.Contains(fails, c.Name()); (err != nil) != want || len(got) > 0 {
			t.Errorf("%s without /proc and /sys: %v, error %v; want an error: %v", c.Name(), got, err, want)
		}
	}
}

// The collectors of the machine that runs this test: whatever the figures are,
// they make sense and every one of them is described.
func TestHostCollectorsOfThisMachine(t *testing.T) {
	list, err := NewHost("web1")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range list {
		var got []reading.Reading
		// Processor counters tick 100 times a second; spin until they have.
		ticks := c.Name() == "cpu" || c.Name() == "cores" || c.Name() == "process"
		for begin := time.Now(); len(got) == 0 && time.Since(begin) < 5*time.Second; {
			if got, err = c.Collect(t.Context()); err != nil {
				t.Fatalf("%s: %v", c.Name(), err)
			}
			if !ticks {
				break
			}
		}
		if must := ticks || c.Name() == "load" || c.Name() == "memory"; must && len(got) == 0 {
			t.Errorf("%s has no readings", c.Name())
		}
		described := c.Describe()
		for _, r := range got {
			sane(t, c, r, described[r.Topic])
		}
	}
}

// sane checks a reading against what is described and what is possible.
func sane(t *testing.T, c Collector, r reading.Reading, columns []reading.Column) {
	t.Helper()
	if err := r.Validate(time.Now(), time.Now().Add(-time.Minute)); err != nil {
		t.Errorf("%s: %v", r.Topic, err)
	}
	units, figures := map[string]string{}, map[string]float64{}
	for _, column := range columns {
		units[column.Name] = column.Unit
		if err := column.Validate(); err != nil {
			t.Errorf("%s: %v", r.Topic, err)
		}
	}
	for _, v := range r.Values {
		n, ok := v.Value.Number()
		unit, described := units[v.Name]
		if !ok || !described || math.IsNaN(n) || n < 0 && c.Name() != "temperature" || unit == "percent" && n > 100 {
			t.Errorf("%s: %s is %v in %q (described: %v)", r.Topic, v.Name, v.Value, unit, described)
		}
		figures[v.Name] = n
	}
	switch c.Name() {
	case "cpu":
		if sum := figures["busy"] + figures["idle"] + figures["iowait"]; sum < 99.9 || sum > 100.1 {
			t.Errorf("busy, idle and iowait are %v together: %v", sum, figures)
		}
	case "memory":
		if figures["used"]+figures["available"] != figures["total"] || figures["total"] < 1<<26 {
			t.Errorf("memory does not add up: %v", figures)
		}
	case "filesystem":
		if figures["used"]+figures["free"] > figures["total"] || figures["total"] < 1<<20 {
			t.Errorf("%s does not add up: %v", r.Topic, figures)
		}
	case "load":
		if figures["cores"] < 1 {
			t.Errorf("%v processors", figures["cores"])
		}
	case "process":
		if figures["count"] < 1 || figures["memory"] > 1<<42 {
			t.Errorf("%s: %v", r.Topic, figures)
		}
	}
}

// This process finds itself among the processes, with about the memory that it
// is told to have.
func TestProcessFindsItself(t *testing.T) {
	var own processReader
	var programs []program
	for begin := time.Now(); programs == nil && time.Since(begin) < 5*time.Second; {
		var err error
		if programs, err = own.read(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	name, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range programs {
		if strings.HasPrefix(one.name, strings.TrimSpace(string(name))) {
			own.measure(t.Context(), &one)
			if one.memory < 1<<20 || one.count < 1 {
				t.Errorf("this process is %+v", one)
			}
			return
		}
	}
	t.Errorf("%q is not among %d programs", name, len(programs))
}

// BenchmarkHostCollection is one collection of everything, in milliseconds of
// processor time, the kernel's included, on the machine as it is.
func BenchmarkHostCollection(b *testing.B) {
	list, err := NewHost("web1")
	if err != nil {
		b.Fatal(err)
	}
	benchmarkCollect(b, list...)
}

// BenchmarkHostCollector is the same for each collector alone.
func BenchmarkHostCollector(b *testing.B) {
	list, err := NewHost("web1")
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range list {
		b.Run(c.Name(), func(b *testing.B) { benchmarkCollect(b, c) })
	}
}

func benchmarkCollect(b *testing.B, list ...Collector) {
	readings := 0
	collect := func() {
		for _, c := range list {
			// Counters tick every 10 ms and collectors save work until then; in use a
			// second has passed.
			switch c := c.(type) {
			case *CPU:
				if c.last != nil {
					c.last.idle--
				}
			case *Cores:
				for number, times := range c.last {
					times.idle--
					c.last[number] = times
				}
			case *Process:
				c.reader.ticks = max(c.reader.ticks, 1) - 1
			}
			got, err := c.Collect(b.Context())
			if err != nil {
				b.Fatal(c.Name(), err)
			}
			readings += len(got)
		}
	}
	collect()
	readings = 0
	begin := processorTime(b)
	for b.Loop() {
		collect()
	}
	b.ReportMetric((processorTime(b)-begin).Seconds()*1e3/float64(b.N), "cpu-ms/op")
	b.ReportMetric(float64(readings)/float64(b.N), "readings/op")
	b.ReportAllocs()
}

// processorTime is what this process has used, user and system.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func valuesText(r reading.Reading) string {
	var parts []string
	for _, v := range r.Values {
		parts = append(parts, v.Name+"="+v.Value.String())
	}
	return fmt.Sprint(parts)
}
