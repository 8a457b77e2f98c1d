//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package prompt

import "golang.org/x/sys/unix"

const (
	getTermios         = unix.TIOCGETA
	setTermios         = unix.TIOCSETA
	setTermiosAndFlush = unix.TIOCSETAF
)
