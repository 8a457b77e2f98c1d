// Package prompt asks people at a terminal. What is secret is not shown while it is typed, and a Ctrl-C gives the terminal
// back as it was.
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

// ErrNoTerminal means that nobody can be asked: the program has no terminal.
var ErrNoTerminal = errors.New("there is no terminal to ask at")

// Possible reports whether somebody can be asked.
func Possible() bool {
	terminal, done, err := open()
	if err != nil {
		return false
	}
	done()
	return terminal != nil
}

// IsTerminal reports whether a stream is one.
func IsTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// Line asks for one line, which is shown while it is typed.
func Line(ctx context.Context, question string) (string, error) {
	return ask(ctx, question, func(terminal *os.File) (string, error) {
		line, err := bufio.NewReader(terminal).ReadString('\n')
		if errors.Is(err, io.EOF) {
			err = errors.New("there was no answer")
		}
		return strings.TrimRight(line, "\r\n"), err
	})
}

// Hidden asks for one line that nobody looking on may see.
func Hidden(ctx context.Context, question string) (string, error) {
	return ask(ctx, question, func(terminal *os.File) (string, error) {
		line, err := term.ReadPassword(int(terminal.Fd()))
		fmt.Fprintln(screen(terminal)) // the Enter was not shown either
		return string(line), err
	})
}

// New asks twice for a secret that is to be set, so that a typing error is not set.
func New(ctx context.Context, question string) (string, error) {
	first, err := Hidden(ctx, question)
	if err != nil {
		return "", err
	}
	second, err := Hidden(ctx, "Once more: ")
	if err != nil {
		return "", err
	}
	if first != second {
		return "", errors.New("the two are not the same; nothing was changed")
	}
	return first, nil
}

// Yes asks a question that only a plain yes answers.
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

// FirstLine reads one line, for programs that pass a secret on standard input. Lines after it are left out.
func FirstLine(in io.Reader) (string, error) {
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	return strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"), nil
}

// ask reads an answer in the background, since a read from a terminal cannot be called off.
func ask(ctx context.Context, question string, read func(*os.File) (string, error)) (string, error) {
	terminal, done, err := open()
	if err != nil {
		return "", err
	}
	defer done()
	before, err := term.GetState(int(terminal.Fd()))
	if err != nil {
		return "", err
	}
	fmt.Fprint(screen(terminal), question)
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

// screen is where a question can be seen: standard error, or the terminal itself when errors go into a file.
func screen(terminal *os.File) *os.File {
	if IsTerminal(os.Stderr) {
		return os.Stderr
	}
	return terminal
}

// open returns the terminal: standard input where it is one, or else the one that the process belongs to, so that values
// can come in through a pipe while a key is asked for.
func open() (terminal *os.File, done func(), err error) {
	if IsTerminal(os.Stdin) {
		return os.Stdin, func() {}, nil
	}
	file, err := os.OpenFile(device, os.O_RDWR, 0)
	if err != nil {
		return nil, nil, ErrNoTerminal
	}
	if !IsTerminal(file) {
		_ = file.Close()
		return nil, nil, ErrNoTerminal
	}
	return file, func() { _ = file.Close() }, nil
}
