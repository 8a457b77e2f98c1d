//go:build unix

package prompt

// device is the controlling terminal of the process.
const device = "/dev/tty"
