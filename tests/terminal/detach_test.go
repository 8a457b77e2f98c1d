//go:build unix

package terminal

import (
	"os"

	"golang.org/x/sys/unix"
)

// detach gives up the controlling terminal of this process. If the process kept this terminal, the programs in the
// scripts would ask their questions there and wait for an answer.
func detach() {
	terminal, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return
	}
	defer func() { _ = terminal.Close() }()
	_ = unix.IoctlSetInt(int(terminal.Fd()), unix.TIOCNOTTY, 0)
}
