package collectors

import (
	"context"
	"fmt"
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
	c, err := NewCPU("web1")
	if err != nil {
		t.Fatal(err)
	}
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

func TestMemoryFromProc(t *testing.T) {
	m, err := NewMemory("web1")
	if err != nil {
		t.Fatal(err)
	}
	got, err := m.Collect(procAt(t, "first"))
	if err != nil || len(got) != 1 || got[0].Topic != `memory{host="web1"}` {
		t.Fatalf("%+v, %v", got, err)
	}
	// Linux counts reclaimable slab as cached.
	want := "[used=1024000000 available=3072000000 free=512000000 total=4096000000 cached=2201600000 buffers=102400000 used_percent=25]"
	if s := valuesText(got[0]); s != want {
		t.Errorf("values %s, want %s", s, want)
	}
}

func TestHostCollectorsFailWithoutProc(t *testing.T) {
	list, err := Named([]string{"host"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range list {
		if got, err := c.Collect(procAt(t, "missing")); err == nil {
			t.Errorf("%s without /proc: %v and no error", c.Name(), got)
		}
	}
}

// The collectors of the machine that runs this test: whatever the figures are,
// they make sense and every one of them is described.
func TestHostCollectorsOfThisMachine(t *testing.T) {
	list, err := Named([]string{"host"})
	if err != nil {
		t.Fatal(err)
	}
	described := Describe(list, "")
	for _, c := range list {
		var got []reading.Reading
		// Processor counters tick 100 times a second; spin until they have.
		for begin := time.Now(); len(got) == 0 && time.Since(begin) < 5*time.Second; {
			if got, err = c.Collect(t.Context()); err != nil {
				t.Fatalf("%s: %v", c.Name(), err)
			}
		}
		if len(got) != 1 {
			t.Fatalf("%s: %d readings in 5 s", c.Name(), len(got))
		}
		if err := got[0].Validate(time.Now(), time.Now().Add(-time.Minute)); err != nil {
			t.Errorf("%s: %v", c.Name(), err)
		}
		figures := map[string]float64{}
		columns := described[got[0].Topic]
		if len(columns) != len(got[0].Values) {
			t.Fatalf("%s: %d values, %d described", c.Name(), len(got[0].Values), len(columns))
		}
		for i, v := range got[0].Values {
			figures[v.Name], _ = v.Value.Number()
			if columns[i].Name != v.Name || columns[i].Kind != reading.Gauge {
				t.Errorf("%s: column %s is described as %+v", c.Name(), v.Name, columns[i])
			}
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
		}
	}
}

func valuesText(r reading.Reading) string {
	var parts []string
	for _, v := range r.Values {
		parts = append(parts, v.Name+"="+v.Value.String())
	}
	return fmt.Sprint(parts)
}
