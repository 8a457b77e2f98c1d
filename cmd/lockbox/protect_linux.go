package main

import "golang.org/x/sys/unix"

// protectMemory keeps secrets in memory out of core dumps and from other processes of the same user. It is a second
// line of defence: where it is not permitted, the program runs all the same.
func protectMemory() {
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
}
