//go:build !darwin && !dragonfly && !freebsd && !illumos && !linux && !netbsd && !openbsd && !windows

package keys

import (
	"errors"
	"os"
)

// lockFile returns an error: the memory needs locks, which this operating system does not offer to the standard
// library.
func lockFile(path string) (unlock func(), err error) {
	return nil, &os.PathError{Op: "lock", Path: path, Err: errors.ErrUnsupported}
}
