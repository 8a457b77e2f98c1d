package keys

import (
	"os"
	"syscall"
	"unsafe"
)

// lockExclusive is LOCKFILE_EXCLUSIVE_LOCK of LockFileEx.
const lockExclusive = 2

var lockFileEx = syscall.NewLazyDLL("kernel32.dll").NewProc("LockFileEx")

// lockFile creates a file if it is missing, waits for the lock on the file, and returns the function that releases the
// lock. Windows releases the lock when the process ends. The file itself stays.
func lockFile(path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	overlapped := new(syscall.Overlapped)
	ok, _, err := lockFileEx.Call(file.Fd(), lockExclusive, 0, 1, 0, uintptr(unsafe.Pointer(overlapped)))
	if ok == 0 {
		_ = file.Close()
		return nil, &os.PathError{Op: "lock", Path: path, Err: err}
	}
	return func() { _ = file.Close() }, nil
}
