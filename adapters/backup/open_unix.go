//go:build unix

package backup

import "syscall"

// noWait makes opening a named pipe return immediately instead of waiting for a writer.
const noWait = syscall.O_NONBLOCK
