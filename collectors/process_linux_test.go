package collectors

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// statLine is a /proc/PID/stat as the kernel prints it.
func statLine(pid int, comm string, state byte, flags, ticks, start, pages uint64) string {
	return fmt.Sprintf("%d (%s) %c 1 %d %d 0 -1 %d 345164 225821424 0 39714 %d %d 1020909 159990 20 -5 13 0 %d 55574528 %d 18446744073709551615 1 1 0 0 0\n",
		pid, comm, state, pid, pid, flags, ticks/2, ticks-ticks/2, start, pages)
}

// process writes one of the machine.
func (m machine) process(pid int, comm string, ticks, pages, shared uint64) {
	m.write(fmt.Sprintf("proc/%d/stat", pid), statLine(pid, comm, 'S', 0, ticks, uint64(pid), pages))
	m.write(fmt.Sprintf("proc/%d/statm", pid), fmt.Sprintf("9999 %d %d 123 0 456 0\n", pages, shared))
}

// ticks sets what all processors counted since boot.
func (m machine) ticks(total uint64) {
	m.write("proc/stat", fmt.Sprintf("cpu  %d 0 0 50 10 0 0 40 7 0\ncpu0 1 2 3\n", total-100))
}

func TestProcessesFromProc(t *testing.T) {
	m := newMachine(t)
	p := must(t, NewProcess)
	m.ticks(1000)
	m.process(1, "init", 50, 100, 10)
	m.process(70, "postgres", 100, 1000, 800)
	m.process(71, "postgres", 100, 1200, 900)
	m.write("proc/71/cmdline", "unused")
	m.process(75, "tiny", 10, 5, 0) // not worth a line beside postgres
	m.process(80, "a) S 1 (b", 10, 20, 0)
	m.write("proc/90/stat", statLine(90, "defunct", 'Z', 0, 10, 90, 0))
	m.write("proc/91/stat", "91 (broken")
	m.write("proc/self/stat", "not a process")
	m.expect(p) // nothing to compare with
	m.expect(p) // the counters have not ticked

	m.ticks(2000)
	m.process(70, "postgres", 200, 1000, 800)
	m.process(71, "postgres", 150, 1200, 900)
	m.process(100, "fresh", 20, 5, 5) // began since, so all of its time counts
	page := 4096
	m.expect(p,
		fmt.Sprintf(`process{host="web1",name="a) S 1 (b"} [cpu=0 memory=%d count=1]`, 20*page),
		fmt.Sprintf(`process{host="web1",name="fresh"} [cpu=2 memory=%d count=1]`, 5*page),
		fmt.Sprintf(`process{host="web1",name="init"} [cpu=0 memory=%d count=1]`, 100*page),
		// 200 and 300 pages of their own, 900 shared.
		fmt.Sprintf(`process{host="web1",name="postgres"} [cpu=15 memory=%d count=2]`, 1400*page),
	)

	// One ends, and another process gets the number of one that ended.
	m.ticks(2100)
	m.remove("proc/71")
	m.write("proc/100/stat", statLine(100, "other", 'R', 0, 10, 777, 5))
	m.expect(p,
		fmt.Sprintf(`process{host="web1",name="a) S 1 (b"} [cpu=0 memory=%d count=1]`, 20*page),
		fmt.Sprintf(`process{host="web1",name="init"} [cpu=0 memory=%d count=1]`, 100*page),
		fmt.Sprintf(`process{host="web1",name="other"} [cpu=10 memory=%d count=1]`, 5*page),
		fmt.Sprintf(`process{host="web1",name="postgres"} [cpu=0 memory=%d count=1]`, 1000*page),
	)
	if n := len(p.reader.known); n != 5 {
		t.Errorf("%d processes are remembered, want 5", n)
	}

	// A processor is switched off and its time with it: begin anew.
	m.ticks(500)
	m.expect(p)
	m.ticks(600)
	if got := m.collect(p); len(got) != 4 {
		t.Errorf("after a new beginning: %q", got)
	}
}

func TestProcessNames(t *testing.T) {
	m := newMachine(t)
	m.write("proc/5/cmdline", "/usr/lib/systemd/systemd-journald\x00--flag\x00")
	m.write("proc/6/cmdline", "/usr/lib/firefox/firefox\x00-contentproc\x00")
	r := &processReader{root: m.root + "/proc"}
	for _, c := range []struct {
		pid, comm string
		flags     uint64
		want      string
	}{
		{"1", "nginx", 0, "nginx"},
		{"5", "systemd-journal", 0, "systemd-journald"},
		{"6", "Isolated Web Co", 0, "Isolated Web Co"},
		{"7", "fifteen-letters", 0, "fifteen-letters"}, // no command line
		{"8", "kworker/0:1-eve", kernelThread, "kworker"},
		{"9", "ksoftirqd/12", kernelThread, "ksoftirqd"},
		{"9", "kswapd0", kernelThread, "kswapd"},
		{"9", "scsi_eh_0", kernelThread, "scsi_eh"},
		{"9", "jbd2/vda1-8", kernelThread, "jbd2"},
		{"9", "0123", kernelThread, "0123"},
		{"9", "worker-7", 0, "worker-7"},
		{"9", "cut \xc3", 0, "cut"},
		{"9", "\xff", 0, "unnamed"},
		{"9", "", 0, "unnamed"},
	} {
		if got := r.programName(c.pid, c.comm, processStat{flags: c.flags}); got != c.want {
			t.Errorf("%q is named %q, want %q", c.comm, got, c.want)
		}
	}
}

// The ten by processor time and the ten by memory, each where it is measured.
func TestProcessesThatAreShown(t *testing.T) {
	m := newMachine(t)
	p := must(t, NewProcess)
	build := func(factor uint64) {
		for i := range uint64(15) {
			m.process(int(100+i), fmt.Sprintf("busy%02d", i), factor*(i+1), 1, 0)
			m.process(int(200+i), fmt.Sprintf("large%02d", i), 0, 1000+i, 0)
		}
		// Looks like the largest of all, and shares nearly everything.
		for i := range 20 {
			m.process(300+i, "forks", 0, 900, 899)
		}
	}
	m.ticks(1000)
	build(1)
	m.expect(p)
	m.ticks(2000)
	build(2)
	var names []string
	for _, line := range m.collect(p) {
		name := line[strings.Index(line, `name="`)+6:]
		names = append(names, name[:strings.IndexByte(name, '"')])
	}
	var want []string
	for i := 5; i < 15; i++ {
		want = append(want, fmt.Sprintf("busy%02d", i), fmt.Sprintf("large%02d", i))
	}
	slices.Sort(want)
	if !slices.Equal(names, want) {
		t.Errorf("shown are\n%v, want\n%v", names, want)
	}
}

// A program that was busy a while ago stays for half a minute, not for good.
func TestProcessesStayForAWhile(t *testing.T) {
	p := must(t, NewProcess)
	p.remember([]program{{name: "compiler", cpu: 80}})
	seen := 0
	for ; len(p.recent) > 0; seen++ {
		p.remember([]program{{name: "compiler"}})
	}
	if seen < 15 || seen > 120 {
		t.Errorf("remembered for %d collections", seen)
	}
	p.remember([]program{{name: "compiler", cpu: 80}})
	p.remember(nil)
	if len(p.recent) != 0 {
		t.Errorf("remembered after its end: %v", p.recent)
	}
}

func TestParseProcessRefuses(t *testing.T) {
	good := statLine(7, "x", 'S', 0, 10, 20, 30)
	if got, ok := parseProcess([]byte(good)); !ok || string(got.comm) != "x" || got.state != 'S' || got.ticks != 10 || got.start != 20 || got.resident != 30 {
		t.Fatalf("%s: %+v, %v", good, got, ok)
	}
	for _, text := range []string{
		"", "7", "7 (x", "7 )x(", "7 (x)", good[:60], strings.Replace(good, " 20 55574528", " -20 55574528", 1),
	} {
		if got, ok := parseProcess([]byte(text)); ok {
			t.Errorf("%q was taken: %+v", text, got)
		}
	}
}

func FuzzProcess(f *testing.F) {
	f.Add([]byte(statLine(7, "a) S 1 (b", 'R', kernelThread, 10, 20, 30)))
	f.Add([]byte(statLine(1, "", 'Z', 0, 1<<63, 1<<63, 1<<63)))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, ok := parseProcess(text)
		if !ok {
			return
		}
		again, ok := parseProcess([]byte(statLine(1, string(got.comm), got.state, got.flags, got.ticks, got.start, got.resident)))
		if !ok || string(again.comm) != string(got.comm) || again.ticks != got.ticks || again.start != got.start || again.resident != got.resident || again.flags != got.flags {
			t.Errorf("%q is %+v, and again %+v, %v", text, got, again, ok)
		}
		r := &processReader{root: t.TempDir()}
		if name := r.programName("1", string(got.comm), got); name == "" {
			t.Errorf("%q has no name", got.comm)
		}
	})
}
