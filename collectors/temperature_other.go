//go:build !linux

package collectors

import "context"

// temperatureReader knows nothing: only Linux shows its sensors as files.
type temperatureReader struct{}

func (*temperatureReader) read(context.Context) []temperatureStat { return nil }
