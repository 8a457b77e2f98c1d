//go:build unix

package terminal

import (
	"fmt"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// limits are the maximum sizes that execve(2) accepts, in bytes. 0 means that the limit is unknown.
type limits struct {
	// single is the maximum size of one NAME=value pair or one argument, including the final NUL.
	single int
	// total is the maximum size of all pairs and arguments together, including the pointers to them.
	total int
}

// sizeLimits returns the limits of this system. On Linux, one string may occupy 32 pages of memory. All strings
// together may occupy a quarter of the stack limit, but at least 128 KiB and at most 6 MiB; see execve(2). Other
// systems limit only the total.
func sizeLimits() limits {
	const kib = 1 << 10
	switch runtime.GOOS {
	case "darwin":
		return limits{total: 1024 * kib}
	case "linux":
		stack := unix.Rlimit{}
		if unix.Getrlimit(unix.RLIMIT_STACK, &stack) != nil {
			return limits{single: 32 * os.Getpagesize()}
		}
		quarter := int(min(stack.Cur/4, 6*1024*kib))
		return limits{single: 32 * os.Getpagesize(), total: max(quarter, 128*kib)}
	}
	return limits{}
}

// explainSize describes why these arguments and variables are too large for the system. The description names the
// largest variable or argument, which is usually the cause. It never contains a value.
func explainSize(command, environment []string, limit limits) string {
	const pointer = 8
	total, largest, largestSize := 0, "", 0
	add := func(text, name string) {
		size := len(text) + 1 // the final NUL
		total += size + pointer
		if size > largestSize {
			largest, largestSize = name, size
		}
	}
	for i, argument := range command {
		add(argument, fmt.Sprintf("argument %d", i))
	}
	for _, pair := range environment {
		name, _, _ := strings.Cut(pair, "=")
		add(pair, "the variable "+name)
	}
	switch {
	case limit.single > 0 && largestSize > limit.single:
		return fmt.Sprintf("%s has %d bytes, and this system permits %d in one variable or argument", largest,
			largestSize, limit.single)
	case limit.total > 0:
		return fmt.Sprintf("the variables and arguments have %d bytes together, and this system permits about %d; "+
			"the largest is %s with %d bytes", total, limit.total, largest, largestSize)
	}
	return fmt.Sprintf("the variables and arguments have %d bytes together, "+
		"more than this system permits (getconf ARG_MAX); the largest is %s with %d bytes", total, largest, largestSize)
}
