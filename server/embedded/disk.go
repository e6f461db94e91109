package embedded

import (
	"io"
	"os"
	"path/filepath"
)

// disk is where the log lies: a directory, or what a test takes for one.
type disk interface {
	open(name string, create bool) (file, error)
	rename(from, to string) error
	remove(name string) error
	sync() error // names of files too are written
}

// file is an open file of a disk.
type file interface {
	io.Reader
	io.Writer
	io.Seeker
	io.Closer
	Sync() error
	Truncate(size int64) error
}

// directory is a disk of the operating system.
type directory string

func (d directory) open(name string, create bool) (file, error) {
	flags := os.O_RDWR
	if create {
		flags |= os.O_CREATE | os.O_TRUNC
	}
	return os.OpenFile(filepath.Join(string(d), name), flags, 0o600)
}

func (d directory) rename(from, to string) error {
	return os.Rename(filepath.Join(string(d), from), filepath.Join(string(d), to))
}

func (d directory) remove(name string) error { return os.Remove(filepath.Join(string(d), name)) }

func (d directory) sync() error {
	dir, err := os.Open(string(d))
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	return dir.Sync()
}
