package collectors

import (
	"context"
	"errors"
	"io/fs"
	"os"
)

const swapCounted = true

// swapReader reads /proc/meminfo and /proc/vmstat.
type swapReader struct{ file kernelFile }

func (r *swapReader) read(ctx context.Context) (swapStat, error) {
	text, err := r.file.read(procPath(ctx, "meminfo"))
	if err != nil {
		return swapStat{}, err
	}
	var stat swapStat
	total, _ := valueOf(text, "SwapTotal:")
	free, _ := valueOf(text, "SwapFree:")
	if stat.total, stat.free = total<<10, free<<10; stat.total == 0 {
		return stat, nil
	}
	text, err = r.file.read(procPath(ctx, "vmstat"))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return stat, nil
	case err != nil:
		return stat, err
	}
	in, hasIn := valueOf(text, "pswpin")
	out, hasOut := valueOf(text, "pswpout")
	page := uint64(os.Getpagesize())
	stat.in, stat.out, stat.counted = in*page, out*page, hasIn && hasOut
	return stat, nil
}
