package collectors

import (
	"context"
	"time"

	"readout/server/reading"
)

// Disk counts what the disks of this machine did since boot: bytes read and
// written, operations (reads, writes) and, on Linux, the seconds with an
// operation under way (busy). Disks are shown whole, without their partitions.
// Loop devices and disks in memory (ram, zram) are left out, and so is a disk
// that was never used. Volumes that lie on other disks (dm-0, md0) are shown
// beside them, as they count their own part.
type Disk struct {
	things
	reader diskReader
}

// diskStat is what one disk did since boot.
type diskStat struct {
	name                         string
	read, written, reads, writes uint64 // bytes and operations
	busy                         uint64 // ms; only where diskBusy is true
}

// NewDisk makes the collector of the topics disk{device="sda",host="..."}. The
// error says why host cannot be a label.
func NewDisk(host string) (*Disk, error) {
	columns := append(counters("bytes", "read", "written"), counters("", "reads", "writes")...)
	if diskBusy {
		columns = append(columns, counters("s", "busy")...)
	}
	things, err := newThings("disk", "device", host, columns)
	if err != nil {
		return nil, err
	}
	return &Disk{things: things}, nil
}

// Name is disk.
func (d *Disk) Name() string { return "disk" }

// Interval is one second.
func (d *Disk) Interval() time.Duration { return time.Second }

// Collect reads the counters of the kernel. A system that does not tell them
// has no readings.
func (d *Disk) Collect(ctx context.Context) ([]reading.Reading, error) {
	list, err := d.reader.read(ctx)
	if err != nil {
		return nil, err
	}
	now := time.Now().UnixMilli()
	var readings []reading.Reading
	for _, disk := range list {
		topic, ok := d.topic(disk.name)
		if !ok || disk.reads == 0 && disk.writes == 0 {
			continue
		}
		values := []reading.Named{
			whole("read", disk.read), whole("written", disk.written),
			whole("reads", disk.reads), whole("writes", disk.writes),
		}
		if diskBusy {
			values = append(values, reading.Named{Name: "busy", Value: reading.NumberOf(float64(disk.busy) / 1000)})
		}
		readings = append(readings, reading.Reading{Topic: topic, Time: now, Values: values})
	}
	return readings, nil
}
