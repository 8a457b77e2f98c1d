//go:build unix

package prompt

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// device is the controlling terminal of the process.
const device = "/dev/tty"

// state is the mode of a terminal.
type state struct{ termios unix.Termios }

// stateOf returns the current mode of a terminal. Call restore to set this mode again.
func stateOf(terminal *os.File) (state, error) {
	termios, err := unix.IoctlGetTermios(int(terminal.Fd()), getTermios)
	if err != nil {
		return state{}, err
	}
	return state{*termios}, nil
}

// restore sets the mode of a terminal to s and discards input that was not read.
func (s state) restore(terminal *os.File) {
	_ = unix.IoctlSetTermios(int(terminal.Fd()), setTermiosAndFlush, &s.termios)
}

// hide turns off the echo and the line editing of the kernel. With line editing, a line could have at most 4 KiB. If
// the user pasted several lines, the shell would get all lines except the first. Ctrl-C still interrupts the program.
// Input that the user typed before the call stays available to the next read.
func hide(terminal *os.File) error { return setRaw(terminal, 1, 0) }

// setRaw turns off the echo and the line editing. If tenths is 0, a read waits until it has received as many bytes as
// the argument minimum states. If minimum is 0, a read waits for one byte, but at most for the given tenths of a
// second.
func setRaw(terminal *os.File, minimum, tenths uint8) error {
	termios, err := unix.IoctlGetTermios(int(terminal.Fd()), getTermios)
	if err != nil {
		return err
	}
	termios.Lflag &^= unix.ECHO | unix.ICANON | unix.IEXTEN
	termios.Iflag &^= unix.ICRNL | unix.INLCR | unix.IGNCR
	termios.Cc[unix.VMIN], termios.Cc[unix.VTIME] = minimum, tenths
	return unix.IoctlSetTermios(int(terminal.Fd()), setTermios, termios)
}

// readHidden reads keys until the end of the line. It returns an error if more input follows. Call hide before
// readHidden.
func readHidden(terminal *os.File) (string, error) {
	var typed keys
	for !typed.done {
		input, err := readRaw(terminal)
		if err != nil {
			return "", err
		}
		if len(input) == 0 {
			return "", io.EOF // the terminal was closed
		}
		typed.write(input)
	}
	rest, err := drain(terminal)
	if err != nil {
		return "", err
	}
	return typed.result(rest)
}

// drain reads the input that remains after a line, for example the second and later lines of a paste. A terminal or a
// slow connection can deliver a paste in parts. Therefore drain returns only after no input has arrived for the time
// quietTenths. It changes the mode of the terminal.
func drain(terminal *os.File) ([]byte, error) {
	if err := setRaw(terminal, 0, quietTenths); err != nil {
		return nil, err
	}
	var pending []byte
	for {
		input, err := readRaw(terminal)
		if err != nil || len(input) == 0 {
			return pending, err
		}
		if len(pending) <= maxHidden {
			pending = append(pending, input...)
		}
	}
}

// readRaw reads available input. It returns no bytes at the end of the input. In the mode that drain sets, an empty
// result can instead mean that no input has arrived within quietTenths. readRaw does not use os.File.Read, because that
// method returns io.EOF in both cases.
func readRaw(terminal *os.File) ([]byte, error) {
	fd, buffer := int(terminal.Fd()), make([]byte, 4096)
	if err := unix.SetNonblock(fd, false); err != nil { // the time limit has no effect in non-blocking mode
		return nil, err
	}
	for {
		count, err := unix.Read(fd, buffer)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		return buffer[:max(count, 0)], err
	}
}
