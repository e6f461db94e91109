package embedded

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// lock keeps a second process out of a directory.
func lock(dir string) (unlock func(), err error) {
	path := filepath.Join(dir, "readout.lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("another readout uses %s: end it, or give this one another --data", dir)
		}
		return nil, err
	}
	return func() { _ = f.Close() }, nil
}
