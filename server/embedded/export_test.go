package embedded

import "io"

// Disk and File are what a test puts in the place of a directory.
type (
	Disk interface {
		Open(name string, create bool) (File, error)
		Rename(from, to string) error
		Remove(name string) error
		Sync() error
	}
	File interface {
		io.ReadWriteSeeker
		io.Closer
		Sync() error
		Truncate(size int64) error
	}
)

type testDisk struct{ Disk }

func (d testDisk) open(name string, create bool) (file, error) { return d.Open(name, create) }
func (d testDisk) rename(from, to string) error                { return d.Rename(from, to) }
func (d testDisk) remove(name string) error                    { return d.Remove(name) }
func (d testDisk) sync() error                                 { return d.Sync() }

// OnDisk makes options of a server whose log lies on a test's disk.
func OnDisk(d Disk, o Options) Options {
	o.disk = testDisk{d}
	return o
}

// LogName is the name of the log.
const LogName = logName

// Compact writes the log of a server anew now, which it does by itself when the log has grown.
func (s *Server) Compact() error { return s.db.log.compact() }
