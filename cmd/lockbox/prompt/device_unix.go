//go:build unix

package prompt

const device = "/dev/tty"
