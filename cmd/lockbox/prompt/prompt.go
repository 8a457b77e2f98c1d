// Package prompt asks a person at a terminal for input. Secrets are not shown while they are typed, and Ctrl-C
// restores the state of the terminal.
//
// The functions read from standard input if that is a terminal, and otherwise from the controlling terminal of the
// process. They are not safe for concurrent use.
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

// IsTerminal reports whether a stream is a terminal. Anything but an *os.File is not.
func IsTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// Line asks for one line, which is shown while it is typed. The result has no line end.
func Line(ctx context.Context, question string) (string, error) {
	return ask(ctx, question, func(terminal *os.File) (string, error) {
		line, err := bufio.NewReader(terminal).ReadString('\n')
		if errors.Is(err, io.EOF) {
			err = errors.New("no answer given")
		}
		return strings.TrimRight(line, "\r\n"), err
	})
}

// Hidden asks for one line without showing it while it is typed.
func Hidden(ctx context.Context, question string) (string, error) {
	return ask(ctx, question, func(terminal *os.File) (string, error) {
		line, err := term.ReadPassword(int(terminal.Fd()))
		fmt.Fprintln(screen(terminal)) // the line end was not echoed either
		return string(line), err
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

// Yes asks a yes-or-no question. Every answer but y and yes, in any case, means no.
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

// FirstLine reads one line from in, without its line end, for scripts that pass a secret on standard input. It buffers:
// to read further lines, pass the same *bufio.Reader again.
func FirstLine(in io.Reader) (string, error) {
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	return strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"), nil
}

// ask prints a question and calls read in a goroutine, because a read from a terminal cannot be cancelled. When ctx
// ends, it restores the terminal and returns; the goroutine stays blocked until the process ends.
func ask(ctx context.Context, question string, read func(*os.File) (string, error)) (string, error) {
	terminal, closeTerminal, err := open()
	if err != nil {
		return "", err
	}
	defer closeTerminal()
	// Hidden turns the echo off. The saved state is restored after Ctrl-C.
	before, err := term.GetState(int(terminal.Fd()))
	if err != nil {
		return "", err
	}
	fmt.Fprint(screen(terminal), question)
	// The buffer of the channel lets the goroutine end even if no one receives the answer.
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
		_ = term.Restore(int(terminal.Fd()), before)
		fmt.Fprintln(screen(terminal))
		return "", ctx.Err()
	}
}

// screen returns the stream for questions: standard error, or the terminal itself if standard error is redirected. It
// is never standard output, which carries results.
func screen(terminal *os.File) *os.File {
	if IsTerminal(os.Stderr) {
		return os.Stderr
	}
	return terminal
}

// open returns standard input if it is a terminal, and otherwise the controlling terminal of the process. A value can
// therefore come from a pipe while the encryption key is typed. The caller must call closeTerminal.
func open() (terminal *os.File, closeTerminal func(), err error) {
	if IsTerminal(os.Stdin) {
		return os.Stdin, func() {}, nil
	}
	file, err := os.OpenFile(device, os.O_RDWR, 0)
	if err != nil {
		return nil, nil, ErrNoTerminal
	}
	// The device can exist and not be a terminal, for example in a restricted container.
	if !IsTerminal(file) {
		_ = file.Close()
		return nil, nil, ErrNoTerminal
	}
	return file, func() { _ = file.Close() }, nil
}
