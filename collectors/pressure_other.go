//go:build !linux

package collectors

import "context"

// pressureReader knows nothing: only Linux measures pressure.
type pressureReader struct{}

func (*pressureReader) read(context.Context, string) (pressureStat, error) {
	return pressureStat{}, nil
}
