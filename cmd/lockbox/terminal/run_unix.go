//go:build unix

package terminal

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"os/signal"

	"golang.org/x/sys/unix"
)

// execute puts a program in the place of this one. Signals, the exit code and the terminal are the program's from then on,
// and what was secret here is gone from memory and from /proc.
func execute(ctx context.Context, command, environment []string) error {
	path, err := exec.LookPath(command[0])
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, unix.ENOENT) {
		return &exitError{fmt.Errorf("there is no program %s", command[0]), exitNoProgram}
	}
	if err != nil {
		return &exitError{fmt.Errorf("%s cannot be run: %w", command[0], err), exitNotProgram}
	}
	if err := ctx.Err(); err != nil {
		return err // Ctrl-C came before there was a program to give it to
	}
	signal.Reset() // what was ignored when lockbox started is ignored by the program too
	err = unix.Exec(path, command, environment)
	switch {
	case errors.Is(err, unix.E2BIG):
		return &exitError{errors.New(
			"the values, with the environment and the arguments, are more than this system starts a program with"),
			exitNotProgram}
	case errors.Is(err, unix.ENOENT):
		return &exitError{fmt.Errorf("there is no program %s, or not the interpreter that it names", command[0]),
			exitNoProgram}
	}
	return &exitError{fmt.Errorf("%s cannot be run: %w", command[0], err), exitNotProgram}
}
