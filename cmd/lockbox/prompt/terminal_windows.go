package prompt

import (
	"bytes"
	"os"
	"time"

	"golang.org/x/sys/windows"
	"golang.org/x/term"
)

// device is the console input of the process.
const device = "CONIN$"

// state is the mode of a console.
type state struct{ console *term.State }

// stateOf returns the current mode of a console. Call restore to set this mode again.
func stateOf(terminal *os.File) (state, error) {
	console, err := term.GetState(int(terminal.Fd()))
	return state{console}, err
}

// restore sets the mode of a console to s and discards input that was not read.
func (s state) restore(terminal *os.File) {
	_ = term.Restore(int(terminal.Fd()), s.console)
	_ = windows.FlushConsoleInputBuffer(windows.Handle(terminal.Fd()))
}

// hide does nothing, because readHidden turns off the echo on Windows.
func hide(*os.File) error { return nil }

// readHidden reads one line without echo. It returns an error if more input follows.
func readHidden(terminal *os.File) (string, error) {
	line, err := term.ReadPassword(int(terminal.Fd()))
	if err != nil {
		return "", err
	}
	rest, err := drain(terminal)
	if err != nil {
		return "", err
	}
	typed := keys{text: line, done: true}
	return typed.result(rest)
}

// releaseEvents is the maximum number of console events after a press of the Enter key if the user types nothing more.
// These events are the release of the key and a change of focus.
const releaseEvents = 2

// drain returns "?" for each pending console event, because an event need not be a character. The caller needs to know
// only whether there is more input. drain does not read the events; restore discards them.
func drain(terminal *os.File) ([]byte, error) {
	time.Sleep(quietTenths * time.Second / 10) // a paste arrives in parts
	var events uint32
	if err := windows.GetNumberOfConsoleInputEvents(windows.Handle(terminal.Fd()), &events); err != nil {
		return nil, err
	}
	return bytes.Repeat([]byte{'?'}, max(int(events)-releaseEvents, 0)), nil
}
