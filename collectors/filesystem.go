package collectors

import (
	"context"
	"time"

	"readout/server/reading"
)

// Filesystem measures how full the file systems on the disks of this machine
// are, with the figures of df: used, free for programs, total, and the percent
// used of what programs can use, so that 100 is where writing fails. (used and
// free together are less than total where some is kept for the administrator.)
//
// Shown are file systems on disks, each once, at its shortest mount point; in a
// container also its root. Left out are those in memory, images that cannot
// fill up, and everything over a network, since a server that is away would
// stop the collection.
type Filesystem struct {
	things
	reader mountReader
}

// mount is one mounted file system.
type mount struct {
	device, point, kind string
	part                bool // only a part of the file system is mounted here
}

// space is how full a file system is, in bytes.
type space struct{ total, used, free uint64 }

// NewFilesystem makes the collector of the topics
// filesystem{host="...",mount="/var"}. The error says why host cannot be a label.
func NewFilesystem(host string) (*Filesystem, error) {
	things, err := newThings("filesystem", "mount", host,
		append(gauges("bytes", "used", "free", "total"), gauges("percent", "used_percent")...))
	if err != nil {
		return nil, err
	}
	return &Filesystem{things: things}, nil
}

// Name is filesystem.
func (f *Filesystem) Name() string { return "filesystem" }

// Interval is 10 seconds.
func (f *Filesystem) Interval() time.Duration { return 10 * time.Second }

// Collect looks up the mounts and asks each. One that does not answer as it
// should is left out.
func (f *Filesystem) Collect(ctx context.Context) ([]reading.Reading, error) {
	mounts, err := f.reader.mounts(ctx)
	if err != nil {
		return nil, err
	}
	now := time.Now().UnixMilli()
	var readings []reading.Reading
	for _, m := range mounts {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		topic, ok := f.topic(m.point)
		if !ok {
			continue
		}
		s, err := f.reader.space(ctx, m)
		if err != nil || s.used+s.free == 0 {
			continue
		}
		readings = append(readings, reading.Reading{Topic: topic, Time: now, Values: []reading.Named{
			whole("used", s.used), whole("free", s.free), whole("total", s.total),
			share("used_percent", float64(s.used), float64(s.used)+float64(s.free)),
		}})
	}
	return readings, nil
}
