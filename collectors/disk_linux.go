package collectors

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
)

const (
	diskBusy = true
	sector   = 512 // bytes, in /proc/diskstats whatever the disk has
)

// diskReader reads /proc/diskstats.
type diskReader struct{ file kernelFile }

func (r *diskReader) read(ctx context.Context) ([]diskStat, error) {
	text, err := r.file.read(procPath(ctx, "diskstats"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return wholeDisks(parseDisks(text)), err
}

// parseDisks reads lines of major, minor, name and at least 11 numbers: reads,
// reads merged, sectors read, ms reading, the same four for writing, operations
// under way, ms with any of them, ms weighted.
func parseDisks(text []byte) []diskStat {
	var list []diskStat
	for len(text) > 0 {
		var line []byte
		line, text = nextLine(text)
		_, line = nextField(line)
		_, line = nextField(line)
		name, line := nextField(line)
		var n [11]uint64
		if len(name) == 0 || numbersOf(line, n[:]) < len(n) {
			continue
		}
		list = append(list, diskStat{
			name: string(name), reads: n[0], read: n[2] * sector, writes: n[4], written: n[6] * sector, busy: n[9],
		})
	}
	return list
}

// wholeDisks leaves out partitions, loop devices and disks in memory.
func wholeDisks(list []diskStat) []diskStat {
	names := make(map[string]bool, len(list))
	for _, disk := range list {
		names[disk.name] = true
	}
	return slices.DeleteFunc(list, func(disk diskStat) bool {
		base := strings.TrimRight(disk.name, "0123456789")
		switch {
		case base == disk.name:
			return false
		case base == "loop" || base == "ram" || base == "zram" || base == "fd":
			return true
		case names[base]: // sda1 of sda; some virtual machines have xvda1 and no xvda
			return true
		}
		parent, ok := strings.CutSuffix(base, "p") // nvme0n1p1 of nvme0n1
		return ok && parent != "" && isDigit(parent[len(parent)-1]) && names[parent]
	})
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
