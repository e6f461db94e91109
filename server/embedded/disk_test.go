package embedded_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"sync"

	"readout/server/embedded"
)

// badDisk keeps files in memory and knows which of their bytes have been synced.
// cut is a power cut: from then on everything fails, and what survives is what
// was synced and some of what was not.
type badDisk struct {
	random *rand.Rand

	mu    sync.Mutex // guards everything below
	names map[string]*content
	kept  map[string]*content // names as they were when the directory was synced
	off   bool
	full  bool // writes put in half of what they are given and fail
	sick  bool // syncs fail
	syncs int
}

// content is what one file holds.
type content struct {
	data   []byte
	synced int // bytes of data
}

var (
	errOff  = errors.New("the power is off")
	errFull = errors.New("no space left on device")
	errSick = errors.New("input/output error")
)

func newBadDisk(seed uint64) *badDisk {
	return &badDisk{random: rand.New(rand.NewPCG(seed, 1)), names: map[string]*content{}, kept: map[string]*content{}}
}

func (d *badDisk) Open(name string, create bool) (embedded.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.names[name]
	switch {
	case d.off:
		return nil, errOff
	case create:
		c = &content{}
		d.names[name] = c
	case c == nil:
		return nil, fs.ErrNotExist
	}
	return &badFile{disk: d, content: c}, nil
}

func (d *badDisk) Rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.off {
		return errOff
	}
	d.names[to] = d.names[from]
	delete(d.names, from)
	return nil
}

func (d *badDisk) Remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.names, name)
	return nil
}

func (d *badDisk) Sync() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.off {
		return errOff
	}
	d.kept = map[string]*content{}
	for name, c := range d.names {
		d.kept[name] = c
	}
	return nil
}

func (d *badDisk) set(change func(d *badDisk)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change(d)
}

// cut returns the disk that is there when the power is back.
func (d *badDisk) cut() *badDisk {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.off = true
	after := newBadDisk(d.random.Uint64())
	names := d.kept
	if d.random.IntN(2) == 0 {
		names = d.names // the names came through by chance
	}
	for name, c := range names {
		data := append([]byte(nil), c.data[:c.synced]...)
		if len(c.data) > len(data) { // and some of the bytes, perhaps up to the middle of a command
			data = append(data, c.data[len(data):len(data)+d.random.IntN(len(c.data)-len(data)+1)]...)
			if d.random.IntN(4) == 0 {
				data = append(data, make([]byte, d.random.IntN(5000))...) // a length without its data
			}
		}
		after.names[name] = &content{data: data, synced: len(data)}
		after.kept[name] = after.names[name]
	}
	return after
}

func (d *badDisk) read(name string) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c := d.names[name]; c != nil {
		return append([]byte(nil), c.data...)
	}
	return nil
}

type badFile struct {
	disk    *badDisk
	content *content
	at      int
}

func (f *badFile) Read(b []byte) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if f.at >= len(f.content.data) {
		return 0, io.EOF
	}
	n := copy(b, f.content.data[f.at:])
	f.at += n
	return n, nil
}

func (f *badFile) Write(b []byte) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if f.disk.off {
		return 0, errOff
	}
	if f.at != len(f.content.data) {
		return 0, fmt.Errorf("written at %d of %d bytes", f.at, len(f.content.data))
	}
	if f.disk.full {
		b = b[:len(b)/2]
	}
	f.content.data = append(f.content.data, b...)
	f.at += len(b)
	if f.disk.full {
		return len(b), errFull
	}
	return len(b), nil
}

func (f *badFile) Seek(offset int64, _ int) (int64, error) {
	f.at = int(offset)
	return offset, nil
}

func (f *badFile) Close() error { return nil }

func (f *badFile) Sync() error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	switch {
	case f.disk.off:
		return errOff
	case f.disk.sick:
		return errSick
	}
	f.disk.syncs++
	f.content.synced = len(f.content.data)
	return nil
}

func (f *badFile) Truncate(size int64) error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if f.disk.off {
		return errOff
	}
	f.content.data = f.content.data[:size]
	f.content.synced = min(f.content.synced, int(size))
	return nil
}
