//go:build unix

package terminal

import (
	"os"

	"golang.org/x/sys/unix"
)

// detach gives up the controlling terminal of the process, if it has one. Otherwise the programs in the scripts would
// prompt on the terminal and wait for the developer who started the tests.
func detach() {
	terminal, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return
	}
	defer func() { _ = terminal.Close() }()
	_ = unix.IoctlSetInt(int(terminal.Fd()), unix.TIOCNOTTY, 0)
}
