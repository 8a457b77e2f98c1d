//go:build !linux

package connect

import "syscall"

// limitUnacknowledged does nothing: the option TCP_USER_TIMEOUT exists on Linux only.
func limitUnacknowledged(string, string, syscall.RawConn) error { return nil }
