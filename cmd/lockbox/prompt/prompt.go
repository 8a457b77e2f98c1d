// Package prompt asks a person at a terminal for input. Secrets are not shown while they are typed, and Ctrl-C
// restores the state of the terminal.
//
// If standard input is a terminal, the functions read from it. Otherwise, they read from the controlling terminal of
// the process. They are not safe for concurrent use.
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

// Line asks for one line, which is shown while it is typed. The result has no line end. It returns ErrSeveralLines if
// more input is pending.
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

// Hidden asks for one line without showing it while it is typed. It returns ErrSeveralLines if several lines are
// pasted.
func Hidden(ctx context.Context, question string) (string, error) {
	text, err := HiddenText(ctx, question)
	if strings.Contains(text, "\n") {
		return "", ErrSeveralLines
	}
	return text, err
}

// HiddenText is like Hidden, but it also accepts a paste of several lines if the terminal marks the end of the paste
// (bracketed paste). Without the mark, the end of the text is unknown, and HiddenText returns ErrSeveralLines.
func HiddenText(ctx context.Context, question string) (string, error) {
	return ask(ctx, question, true, func(terminal *os.File) (string, error) {
		text, err := readHidden(terminal)
		fmt.Fprintln(screen(terminal)) // the terminal did not echo the line end
		return text, err
	})
}

// New asks for a new secret twice and returns an error if the answers differ, so that a typing error is noticed.
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

// Yes asks a yes-or-no question. Only y and yes, in any letter case, mean yes.
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

// FirstLine reads one line from in, without its line end, for scripts that pass a secret on standard input. It reads
// ahead, so callers must pass the same *bufio.Reader to read further lines.
func FirstLine(in io.Reader) (string, error) {
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	return strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"), nil
}

// ask prints a question and calls read in a goroutine, because a read from a terminal cannot be cancelled. After the
// answer, or when ctx ends, ask restores the terminal and discards unread input, because the shell would run that input
// as commands. If ctx ends first, the goroutine stays blocked until the process ends.
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
		// Turn the echo off before the question appears, because the answer may follow immediately.
		if err := hide(terminal); err != nil {
			return "", err
		}
		defer enableBracketedPaste(screen(terminal))()
	}
	fmt.Fprint(screen(terminal), question)
	// The channel has a buffer, so the goroutine can end even if its answer is not received.
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

// enableBracketedPaste makes a terminal mark pasted text. It returns a function that turns the marking off. Terminals
// without bracketed paste ignore the sequences.
func enableBracketedPaste(out io.Writer) (disable func()) {
	if os.Getenv("TERM") == "dumb" {
		return func() {}
	}
	fmt.Fprint(out, enablePaste)
	return func() { fmt.Fprint(out, disablePaste) }
}

// screen returns the stream for questions: standard error, or the terminal itself if standard error is redirected. It
// is never standard output, which carries results.
func screen(terminal *os.File) *os.File {
	if IsTerminal(os.Stderr) {
		return os.Stderr
	}
	return terminal
}

// open returns standard input if it is a terminal, and otherwise the controlling terminal of the process. The user can
// therefore type the encryption key while the value comes from a pipe. The caller must call closeTerminal.
func open() (terminal *os.File, closeTerminal func(), err error) {
	if IsTerminal(os.Stdin) {
		return os.Stdin, func() {}, nil
	}
	file, err := os.OpenFile(device, os.O_RDWR, 0)
	if err != nil {
		return nil, nil, ErrNoTerminal
	}
	// In a restricted container, the device can exist without being a terminal.
	if !IsTerminal(file) {
		_ = file.Close()
		return nil, nil, ErrNoTerminal
	}
	return file, func() { _ = file.Close() }, nil
}
