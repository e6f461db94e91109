//go:build !linux

package collectors

import (
	"context"
	"strings"

	"github.com/shirou/gopsutil/v4/disk"
)

// mountReader asks gopsutil for the file systems on devices.
type mountReader struct{}

func (*mountReader) mounts(ctx context.Context) ([]mount, error) {
	partitions, err := disk.PartitionsWithContext(ctx, false)
	if err != nil {
		return nil, err
	}
	var list []mount
	for _, p := range partitions {
		// macOS keeps helpers of the one volume that people see beside it.
		inner := strings.HasPrefix(p.Mountpoint, "/System/Volumes/") && p.Mountpoint != "/System/Volumes/Data"
		if strings.HasPrefix(p.Device, "/dev/") && !inner && p.Fstype != "devfs" {
			list = append(list, mount{device: p.Device, point: p.Mountpoint, kind: p.Fstype})
		}
	}
	return list, nil
}

func (*mountReader) space(ctx context.Context, m mount) (space, error) {
	usage, err := disk.UsageWithContext(ctx, m.point)
	if err != nil {
		return space{}, err
	}
	return space{total: usage.Total, used: usage.Used, free: usage.Free}, nil
}
