//go:build unix

package collectors

import (
	"os"
	"syscall"
)

// lockFile takes a lock that ends with the process or the file, whichever is first.
func lockFile(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }
