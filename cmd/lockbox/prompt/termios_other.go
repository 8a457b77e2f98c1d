//go:build aix || linux || solaris

package prompt

import "golang.org/x/sys/unix"

const (
	getTermios         = unix.TCGETS
	setTermios         = unix.TCSETS
	setTermiosAndFlush = unix.TCSETSF
)
