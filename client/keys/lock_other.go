//go:build !darwin && !dragonfly && !freebsd && !illumos && !linux && !netbsd && !openbsd && !windows

package keys

import (
	"errors"
	"os"
)

// lockFile always returns an error: the memory needs file locks, and this package has no implementation of them for
// this operating system.
func lockFile(path string) (unlock func(), err error) {
	return nil, &os.PathError{Op: "lock", Path: path, Err: errors.ErrUnsupported}
}
