package collectors

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/shirou/gopsutil/v4/common"

	"readout/server/reading"
)

// machine is a /proc and a /sys of the test's own.
type machine struct {
	t    *testing.T
	root string
}

func newMachine(t *testing.T) machine { return machine{t, t.TempDir()} }

// write makes a file of it: proc/diskstats, sys/class/hwmon/hwmon0/name.
func (m machine) write(path, text string) {
	m.t.Helper()
	path = filepath.Join(m.root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

func (m machine) remove(path string) {
	m.t.Helper()
	if err := os.RemoveAll(filepath.Join(m.root, path)); err != nil {
		m.t.Fatal(err)
	}
}

// context makes the collectors read this machine.
func (m machine) context() context.Context {
	return context.WithValue(m.t.Context(), common.EnvKey, common.EnvMap{
		common.HostProcEnvKey: filepath.Join(m.root, "proc"),
		common.HostSysEnvKey:  filepath.Join(m.root, "sys"),
	})
}

// collect returns one line for each reading.
func (m machine) collect(c Collector) []string {
	m.t.Helper()
	list, err := c.Collect(m.context())
	if err != nil {
		m.t.Fatalf("%s: %v", c.Name(), err)
	}
	described := c.Describe()
	var lines []string
	for _, r := range list {
		columns := map[string]bool{}
		for _, column := range described[r.Topic] {
			columns[column.Name] = true
		}
		for _, v := range r.Values {
			if !columns[v.Name] {
				m.t.Errorf("%s: the column %s is not described", r.Topic, v.Name)
			}
		}
		lines = append(lines, string(r.Topic)+" "+valuesText(r))
	}
	return lines
}

// expect compares what is collected.
func (m machine) expect(c Collector, want ...string) {
	m.t.Helper()
	equalLines(m.t, m.collect(c), want)
}

// must makes a collector of the machine web1.
func must[C Collector](t *testing.T, make func(host string) (C, error)) C {
	t.Helper()
	c, err := make("web1")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestKernelFile(t *testing.T) {
	m := newMachine(t)
	long := strings.Repeat("0123456789abcdef\n", 2000) // 34 kB, more than the buffer at first
	m.write("long", long)
	m.write("empty", "")
	var file kernelFile
	for path, want := range map[string]string{"long": long, "empty": ""} {
		if got, err := file.read(filepath.Join(m.root, path)); err != nil || string(got) != want {
			t.Errorf("%s: %d bytes, %v; want %d", path, len(got), err, len(want))
		}
	}
	if got, err := (&kernelFile{}).readOnce(filepath.Join(m.root, "long")); err != nil || string(got) != long[:4<<10] {
		t.Errorf("readOnce: %d bytes, %v; want 4096", len(got), err)
	}
	if _, err := file.read(filepath.Join(m.root, "missing")); !os.IsNotExist(err) {
		t.Errorf("a missing file: %v", err)
	}
	if _, err := file.read(m.root); err == nil {
		t.Error("a directory was read")
	}
}

// A container that measures its host names the mounted /proc in HOST_PROC.
func TestProcOfTheHost(t *testing.T) {
	t.Setenv("HOST_PROC", "/host/proc")
	if got := procPath(t.Context(), "diskstats"); got != "/host/proc/diskstats" {
		t.Errorf("with HOST_PROC: %s", got)
	}
	if got := sysPath(t.Context(), "class/hwmon"); got != "/sys/class/hwmon" {
		t.Errorf("without HOST_SYS: %s", got)
	}
	m := newMachine(t)
	if got := procPath(m.context(), "stat"); got != filepath.Join(m.root, "proc/stat") {
		t.Errorf("with a context: %s", got)
	}
}

func TestFields(t *testing.T) {
	line := []byte("  one\ttwo  three ")
	for _, want := range []string{"one", "two", "three", "", ""} {
		var got []byte
		if got, line = nextField(line); string(got) != want {
			t.Errorf("field %q, want %q", got, want)
		}
	}
	var numbers [3]uint64
	if n := numbersOf([]byte("1 2 x"), numbers[:]); n != 2 || numbers != [3]uint64{1, 2, 0} {
		t.Errorf("%d numbers: %v", n, numbers)
	}
	if n, ok := valueOf([]byte("pswpin 1\npswpinx 2\npswpout 3"), "pswpout"); !ok || n != 3 {
		t.Errorf("pswpout is %d, %v", n, ok)
	}
	if n, ok := valueOf([]byte("a 1\nb"), "b"); ok || n != 0 {
		t.Errorf("b without a number is %d", n)
	}
	if n, ok := valueOf(nil, "b"); ok || n != 0 {
		t.Errorf("b of nothing is %d", n)
	}
}

func FuzzNumber(f *testing.F) {
	for _, s := range []string{"0", "007", "18446744073709551615", "18446744073709551616", "99999999999999999999", "", "-1", "1 "} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := numberOf([]byte(s))
		want, err := strconv.ParseUint(s, 10, 64)
		if ok != (err == nil) || ok && got != want {
			t.Errorf("numberOf(%q) = %d, %v; strconv says %d, %v", s, got, ok, want, err)
		}
	})
}

// readable asserts what every parser promises of the names that it takes.
func readable(t *testing.T, name string) {
	t.Helper()
	if name == "" || strings.ContainsAny(name, "\n") {
		t.Errorf("the name %q", name)
	}
	topic, err := reading.NewTopic("disk", reading.Label{Name: "device", Value: name})
	if err == nil {
		if again, err := reading.ParseTopic(string(topic)); err != nil || again != topic {
			t.Errorf("%s reads back as %s, %v", topic, again, err)
		}
	}
}
