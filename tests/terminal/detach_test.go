//go:build unix

package terminal

import (
	"os"

	"golang.org/x/sys/unix"
)

// detach gives up the terminal that make test was started at, if it was: the programs that the scripts run would ask
// their questions there, and wait.
func detach() {
	terminal, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return
	}
	defer func() { _ = terminal.Close() }()
	_ = unix.IoctlSetInt(int(terminal.Fd()), unix.TIOCNOTTY, 0)
}
