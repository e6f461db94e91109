//go:build !linux

package collectors

import (
	"context"
	"maps"
	"slices"

	"github.com/shirou/gopsutil/v4/disk"
)

// diskBusy is false: other systems add up the time of operations that overlap.
const diskBusy = false

// diskReader asks gopsutil, which knows only whole disks on macOS.
type diskReader struct{}

func (*diskReader) read(ctx context.Context) ([]diskStat, error) {
	stats, err := disk.IOCountersWithContext(ctx)
	if err != nil {
		return nil, err
	}
	var list []diskStat
	for _, name := range slices.Sorted(maps.Keys(stats)) {
		s := stats[name]
		list = append(list, diskStat{name: name, read: s.ReadBytes, written: s.WriteBytes, reads: s.ReadCount, writes: s.WriteCount})
	}
	return list, nil
}
