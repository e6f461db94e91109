//go:build !unix

package collectors

import (
	"errors"
	"os"
)

// lockFile refuses, since two processes on one spool would lose readings.
func lockFile(*os.File) error { return errors.ErrUnsupported }
