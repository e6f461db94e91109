package collectors

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/shirou/gopsutil/v4/common"
)

// kernelFile reads the small text files of /proc and /sys, one after another,
// into one buffer. It does without os.File: a collection reads hundreds of them.
type kernelFile struct{ buffer []byte }

// mostKernelFile bounds what is read of one file, in bytes. The largest, the
// mounts of a machine full of containers, has some hundred KiB.
const mostKernelFile = 8 << 20

// read returns the whole file. The bytes are good until the next call.
func (f *kernelFile) read(path string) ([]byte, error) {
	return f.readUpTo(path, mostKernelFile)
}

// readOnce returns what one read call gives, which is the whole of any file
// that is shorter than 4 KiB. The bytes are good until the next call.
func (f *kernelFile) readOnce(path string) ([]byte, error) {
	return f.readUpTo(path, 0)
}

// readUpTo reads at least once and then until the end or most bytes.
func (f *kernelFile) readUpTo(path string, most int) ([]byte, error) {
	file, err := again(func() (int, error) { return syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0) })
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer func() { _ = syscall.Close(file) }()
	if f.buffer == nil {
		f.buffer = make([]byte, 4<<10)
	}
	used := 0
	for {
		n, err := again(func() (int, error) { return syscall.Read(file, f.buffer[used:]) })
		if err != nil {
			return nil, &fs.PathError{Op: "read", Path: path, Err: err}
		}
		used += n
		if n == 0 || used >= most {
			return f.buffer[:used], nil
		}
		if used == len(f.buffer) {
			f.buffer = append(f.buffer, make([]byte, len(f.buffer))...)
		}
	}
}

// again calls f until no signal interrupts it.
func again(f func() (int, error)) (int, error) {
	for {
		if n, err := f(); !errors.Is(err, syscall.EINTR) {
			return n, err
		}
	}
}

// procPath is a file below /proc, or below what HOST_PROC names: a container
// that measures its host mounts the host's there. gopsutil does the same.
func procPath(ctx context.Context, name string) string {
	return kernelPath(ctx, common.HostProcEnvKey, "/proc", name)
}

// sysPath is a file below /sys or HOST_SYS.
func sysPath(ctx context.Context, name string) string {
	return kernelPath(ctx, common.HostSysEnvKey, "/sys", name)
}

func kernelPath(ctx context.Context, key common.EnvKeyType, root, name string) string {
	if set, ok := ctx.Value(common.EnvKey).(common.EnvMap); ok && set[key] != "" {
		root = set[key]
	} else if set := os.Getenv(string(key)); set != "" {
		root = set
	}
	return filepath.Join(root, name)
}

// The parsers below take bytes as the kernel prints them, and never fail: what
// they cannot read they leave out.

// nextLine cuts the first line off text.
func nextLine(text []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(text, []byte{'\n'})
	return line, rest
}

// nextField cuts the first field off a line, fields being apart by blanks.
func nextField(line []byte) (field, rest []byte) {
	begin := 0
	for begin < len(line) && (line[begin] == ' ' || line[begin] == '\t') {
		begin++
	}
	end := begin
	for end < len(line) && line[end] != ' ' && line[end] != '\t' {
		end++
	}
	return line[begin:end], line[end:]
}

// numberOf reads an unsigned decimal number; false when it is none, or too large.
func numberOf(field []byte) (uint64, bool) {
	if len(field) == 0 {
		return 0, false
	}
	var n uint64
	for _, c := range field {
		if c < '0' || c > '9' || n > (1<<64-1)/10 {
			return 0, false
		}
		next := n*10 + uint64(c-'0')
		if next < n*10 {
			return 0, false
		}
		n = next
	}
	return n, true
}

// numbersOf fills numbers with the fields of a line, and returns how many it
// could before the line ended or a field was no number.
func numbersOf(line []byte, numbers []uint64) int {
	for i := range numbers {
		var field []byte
		field, line = nextField(line)
		n, ok := numberOf(field)
		if !ok {
			return i
		}
		numbers[i] = n
	}
	return len(numbers)
}

// valueOf finds the line that begins with key, and reads the number behind it.
func valueOf(text []byte, key string) (uint64, bool) {
	for len(text) > 0 {
		var line []byte
		line, text = nextLine(text)
		field, rest := nextField(line)
		if string(field) == key {
			field, _ = nextField(rest)
			return numberOf(field)
		}
	}
	return 0, false
}

// directory names the entries of a directory.
func directory(path string) ([]string, error) {
	d, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = d.Close() }()
	names, err := d.Readdirnames(-1)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return names, err
}
