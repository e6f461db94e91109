//go:build !linux

package collectors

import (
	"context"

	"github.com/shirou/gopsutil/v4/mem"
)

const swapCounted = false

// swapReader asks gopsutil.
type swapReader struct{}

func (*swapReader) read(ctx context.Context) (swapStat, error) {
	stat, err := mem.SwapMemoryWithContext(ctx)
	if err != nil {
		return swapStat{}, err
	}
	return swapStat{total: stat.Total, free: stat.Free}, nil
}
