package collectors

import (
	"bytes"
	"cmp"
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// kernelThread is the bit of a process's flags that says that it is part of the kernel.
const kernelThread = 0x0020_0000

// processReader reads /proc/PID/stat of every process.
type processReader struct {
	file    kernelFile
	known   map[int]knownProcess
	ticks   uint64 // of all processors since boot; 0 before the first read
	members []member
	root    string // of /proc, at the last read
}

// knownProcess is what the read before left of a process.
type knownProcess struct {
	start, ticks uint64
	comm, name   string
	ticksOfRead  uint64 // when it was seen last
	// What measure found when it last looked, with the resident memory of then:
	// as long as that has not moved, what is shared of it has not either.
	measuredAt, shared uint64 // bytes
}

// member is a process of the last read.
type member struct {
	name     string
	pid      int
	resident uint64 // bytes, shared ones included
}

// processStat is one line of /proc/PID/stat.
type processStat struct {
	comm     []byte
	state    byte
	flags    uint64
	ticks    uint64 // of processor time
	start    uint64 // ticks after boot
	resident uint64 // pages
}

// read returns all programs, or nil when there is nothing to compare with yet.
func (r *processReader) read(ctx context.Context) ([]program, error) {
	text, err := r.file.readOnce(procPath(ctx, "stat"))
	if err != nil {
		return nil, err
	}
	ticks := totalTicks(text)
	if ticks == r.ticks {
		return nil, nil // the counters have not ticked yet
	}
	r.root = procPath(ctx, "")
	entries, err := directory(r.root)
	if err != nil {
		return nil, err
	}
	passed := float64(ticks) - float64(r.ticks)
	first := r.ticks == 0 || passed < 0 // a processor was switched off
	if first {
		r.known = map[int]knownProcess{}
	}
	index := make(map[string]int, 2*len(r.known))
	programs := make([]program, 0, len(r.known))
	r.members = r.members[:0]
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry)
		if err != nil {
			continue
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		text, err := r.file.readOnce(r.root + "/" + entry + "/stat")
		if err != nil {
			continue // it has ended, or is hidden
		}
		stat, ok := parseProcess(text)
		if !ok || stat.state == 'Z' || stat.state == 'X' {
			continue
		}
		was, known := r.known[pid]
		if !known || was.start != stat.start {
			was = knownProcess{start: stat.start} // began since the read before: all of its time counts
		}
		if was.comm != string(stat.comm) || was.name == "" {
			was.comm = string(stat.comm)
			was.name = r.programName(entry, was.comm, stat)
			// programName reads another file into the buffer that stat.comm lies in.
		}
		at, ok := index[was.name]
		if !ok {
			at = len(programs)
			index[was.name] = at
			programs = append(programs, program{name: was.name})
		}
		one := &programs[at]
		one.count++
		if stat.ticks > was.ticks {
			one.cpu += float64(stat.ticks - was.ticks)
		}
		resident := stat.resident * uint64(os.Getpagesize())
		one.memory += resident
		r.members = append(r.members, member{name: was.name, pid: pid, resident: resident})
		was.ticks, was.ticksOfRead = stat.ticks, ticks
		r.known[pid] = was
	}
	r.ticks = ticks
	for pid, was := range r.known {
		if was.ticksOfRead != ticks {
			delete(r.known, pid)
		}
	}
	if first {
		return nil, nil
	}
	for i := range programs {
		programs[i].cpu = min(programs[i].cpu/passed*100, 100)
		programs[i].measured = programs[i].count == 1
	}
	return programs, nil
}

// measure corrects the memory of a program of several processes: what they
// share counts once, as much as the one with most of it has.
func (r *processReader) measure(_ context.Context, p *program) {
	if p.measured {
		return
	}
	p.measured = true
	var own, shared uint64
	for _, m := range r.members {
		if m.name != p.name || m.resident == 0 {
			continue
		}
		known := r.known[m.pid]
		if known.measuredAt != m.resident {
			text, err := r.file.readOnce(r.root + "/" + strconv.Itoa(m.pid) + "/statm")
			if err != nil {
				continue // it has ended since
			}
			var pages [3]uint64 // all, resident, and of these shared
			if numbersOf(text, pages[:]) < len(pages) {
				continue
			}
			known.measuredAt, known.shared = m.resident, min(pages[2]*uint64(os.Getpagesize()), m.resident)
			r.known[m.pid] = known
		}
		own += m.resident - known.shared
		shared = max(shared, known.shared)
	}
	p.memory = min(own+shared, p.memory)
}

// totalTicks adds up the first line of /proc/stat: user, nice, system, idle,
// iowait, irq, softirq, steal. (Guest time, which follows, is part of user.)
func totalTicks(text []byte) uint64 {
	line, _ := nextLine(text)
	_, line = nextField(line)
	var n [8]uint64
	var total uint64
	for _, ticks := range n[:numbersOf(line, n[:])] {
		total += ticks
	}
	return total
}

// parseProcess reads "PID (name) state ..."; the name may hold blanks and
// parentheses.
func parseProcess(text []byte) (processStat, bool) {
	var stat processStat
	begin, end := bytes.IndexByte(text, '('), bytes.LastIndexByte(text, ')')
	if begin < 0 || end < begin {
		return stat, false
	}
	stat.comm = text[begin+1 : end]
	line, _ := nextLine(text[end+1:])
	for at := 3; at <= 24; at++ { // as proc_pid_stat(5) counts
		var field []byte
		if field, line = nextField(line); len(field) == 0 {
			return stat, false
		}
		n, ok := numberOf(field)
		switch at {
		case 3:
			stat.state, ok = field[0], true
		case 9:
			stat.flags = n
		case 14:
			stat.ticks = n
		case 15:
			stat.ticks += n
		case 22:
			stat.start = n
		case 24:
			stat.resident = n
		default:
			ok = true // not of interest; some are below 0
		}
		if !ok {
			return stat, false
		}
	}
	return stat, true
}

// programName is the name that processes are grouped by. The kernel cuts names
// after 15 bytes, so the command line completes those. Threads of the kernel
// lose what tells one from the other: kworker/0:1-events is kworker.
func (r *processReader) programName(pid, comm string, stat processStat) string {
	name := comm
	switch {
	case stat.flags&kernelThread != 0:
		if at := strings.IndexAny(name, "/:"); at > 0 {
			name = name[:at]
		} else {
			name = strings.TrimRight(name, "0123456789_-.")
		}
	case len(comm) == 15:
		if text, err := r.file.readOnce(r.root + "/" + pid + "/cmdline"); err == nil {
			command, _, _ := bytes.Cut(text, []byte{0})
			if long := filepath.Base(string(command)); strings.HasPrefix(long, comm) && len(long) <= 60 {
				name = long
			}
		}
	}
	name = strings.TrimSpace(strings.ToValidUTF8(name, ""))
	return cmp.Or(name, strings.ToValidUTF8(comm, ""), "unnamed")
}
