//go:build !darwin && !dragonfly && !freebsd && !illumos && !linux && !netbsd && !openbsd && !windows

package keys

import (
	"errors"
	"os"
)

// lockFile always returns an error, because this package does not implement file locks for this operating system. A
// Memory that is stored in files needs such locks.
func lockFile(path string) (unlock func(), err error) {
	return nil, &os.PathError{Op: "lock", Path: path, Err: errors.ErrUnsupported}
}
