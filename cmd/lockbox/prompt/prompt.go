// Package prompt asks a person at a terminal for input. The terminal does not show a secret while the user types it. On
// Ctrl-C, the package restores the mode of the terminal.
//
// If standard input is a terminal, the functions read from standard input. Otherwise, they read from the controlling
// terminal of the process. Do not call these functions concurrently.
package prompt

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// ErrNoTerminal means that the process has no terminal, for example in a cron job or a container.
var ErrNoTerminal = errors.New("no terminal to prompt on")

// Possible reports whether the process has a terminal to prompt on.
func Possible() bool {
	terminal, closeTerminal, err := open()
	if err != nil {
		return false
	}
	closeTerminal()
	return terminal != nil
}

// IsTerminal reports whether a stream is a terminal. Only an *os.File can be a terminal.
func IsTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// Line asks for one line and returns it without its line end. The terminal shows the line while the user types it. If
// there is more input after the line, Line returns ErrSeveralLines.
func Line(ctx context.Context, question string) (string, error) {
	return ask(ctx, question, false, func(terminal *os.File) (string, error) {
		reader := bufio.NewReader(terminal)
		line, err := reader.ReadString('\n')
		if errors.Is(err, io.EOF) {
			err = errors.New("no answer given")
		}
		if err != nil {
			return "", err
		}
		rest, err := drain(terminal)
		if hasText(rest) || reader.Buffered() > 0 {
			return "", ErrSeveralLines
		}
		return strings.TrimRight(line, "\r\n"), err
	})
}

// Hidden asks for one line. The terminal does not show the line while the user types it. It returns ErrSeveralLines if
// several lines are pasted.
func Hidden(ctx context.Context, question string) (string, error) {
	text, err := HiddenText(ctx, question)
	if strings.Contains(text, "\n") {
		return "", ErrSeveralLines
	}
	return text, err
}

// HiddenText is like Hidden, but it also accepts several pasted lines. For this, the terminal must support bracketed
// paste, which marks the end of the pasted text. Without this mark, the end is unknown, so HiddenText returns
// ErrSeveralLines for several pasted lines.
func HiddenText(ctx context.Context, question string) (string, error) {
	return ask(ctx, question, true, func(terminal *os.File) (string, error) {
		text, err := readHidden(terminal)
		fmt.Fprintln(screen(terminal)) // the terminal did not echo the line end
		return text, err
	})
}

// New asks for a new secret twice, to detect typing errors. It returns an error if the two inputs differ.
func New(ctx context.Context, question string) (string, error) {
	first, err := Hidden(ctx, question)
	if err != nil {
		return "", err
	}
	second, err := Hidden(ctx, "Repeat: ")
	if err != nil {
		return "", err
	}
	if first != second {
		return "", errors.New("the two inputs differ; nothing was changed")
	}
	return first, nil
}

// Yes asks a yes-or-no question. It returns true only if the user types y or yes, in upper or lower case.
func Yes(ctx context.Context, question string) (bool, error) {
	line, err := Line(ctx, question+" [y/N] ")
	if err != nil {
		return false, err
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return true, nil
	default:
		return false, nil
	}
}

// FirstLine reads one line from a reader and returns it without its line end. With FirstLine, a script can pass a
// secret on standard input. FirstLine reads ahead. To read several lines, pass the same *bufio.Reader each time.
func FirstLine(in io.Reader) (string, error) {
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	return strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"), nil
}

// ask prints a question and calls the function read in a goroutine, because a read from a terminal cannot be cancelled.
// Before ask returns, it restores the mode of the terminal and discards unread input, which the shell would otherwise
// run as commands. If ctx ends before the user answers, ask returns the error of ctx, and the goroutine stays blocked
// until the process ends.
func ask(ctx context.Context, question string, hidden bool, read func(*os.File) (string, error)) (string, error) {
	terminal, closeTerminal, err := open()
	if err != nil {
		return "", err
	}
	defer closeTerminal()
	before, err := stateOf(terminal)
	if err != nil {
		return "", err
	}
	defer before.restore(terminal)
	if hidden {
		// Turn the echo off before the question appears. Otherwise, the terminal would show the keys that a fast user
		// types between the question and the change.
		if err := hide(terminal); err != nil {
			return "", err
		}
		defer enableBracketedPaste(screen(terminal))()
	}
	fmt.Fprint(screen(terminal), question)
	// With a buffer of one, the goroutine can send its answer and end even if ctx has ended and no code receives the
	// answer.
	type answer struct {
		line string
		err  error
	}
	answered := make(chan answer, 1)
	go func() {
		line, err := read(terminal)
		answered <- answer{line, err}
	}()
	select {
	case got := <-answered:
		return got.line, got.err
	case <-ctx.Done():
		fmt.Fprintln(screen(terminal))
		return "", ctx.Err()
	}
}

// enableBracketedPaste makes a terminal mark the beginning and the end of pasted text. It returns a function that turns
// these marks off. Terminals without bracketed paste ignore the escape sequences that turn the marks on and off.
func enableBracketedPaste(out io.Writer) (disable func()) {
	if os.Getenv("TERM") == "dumb" {
		return func() {}
	}
	fmt.Fprint(out, enablePaste)
	return func() { fmt.Fprint(out, disablePaste) }
}

// screen returns the stream to which questions are written. This is standard error, or the terminal itself if standard
// error is redirected. Questions never appear on standard output, because a script may read the results there.
func screen(terminal *os.File) *os.File {
	if IsTerminal(os.Stderr) {
		return os.Stderr
	}
	return terminal
}

// open returns standard input if it is a terminal, and otherwise the controlling terminal of the process. Therefore, a
// command can read a value from a pipe and still ask the user for the encryption key. The caller must call
// closeTerminal.
func open() (terminal *os.File, closeTerminal func(), err error) {
	if IsTerminal(os.Stdin) {
		return os.Stdin, func() {}, nil
	}
	file, err := os.OpenFile(device, os.O_RDWR, 0)
	if err != nil {
		return nil, nil, ErrNoTerminal
	}
	// In a container with few privileges, the device can be a file that is not a terminal.
	if !IsTerminal(file) {
		_ = file.Close()
		return nil, nil, ErrNoTerminal
	}
	return file, func() { _ = file.Close() }, nil
}
