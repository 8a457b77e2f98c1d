package main

import "golang.org/x/sys/unix"

// protectMemory keeps secrets in memory out of core dumps, and out of reach of other processes of the same user. This
// is only a second line of defence, so protectMemory ignores errors.
func protectMemory() {
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
}
