//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package keys

import (
	"errors"
	"os"
	"syscall"
)

// lockFile creates a file if it is missing, waits for the lock on the file, and returns the function that releases the
// lock. The operating system releases the lock when the process ends. The file itself stays.
func lockFile(path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // beside the user's own file
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		_ = file.Close()
		return nil, &os.PathError{Op: "lock", Path: path, Err: err}
	}
	return func() { _ = file.Close() }, nil
}
