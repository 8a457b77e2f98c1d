package main

import "golang.org/x/sys/unix"

// protectMemory keeps secrets out of core dumps, and prevents other processes of the same user from reading the memory
// of this process. protectMemory ignores errors, because the protection is only an additional measure.
func protectMemory() {
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
}
