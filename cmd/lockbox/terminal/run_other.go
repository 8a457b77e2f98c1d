//go:build !unix

package terminal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
)

// execute runs a program and ends with its exit code. Ctrl-C reaches the program by the console, once; here it is left to
// the program what to do about it.
func execute(ctx context.Context, command, environment []string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	signal.Ignore(os.Interrupt)
	child := exec.Command(command[0],
		command[1:]...) //nolint:gosec,noctx // what the user wants run, for as long as it wants
	child.Env, child.Stdin, child.Stdout, child.Stderr = environment, os.Stdin, os.Stdout, os.Stderr
	err := child.Run()
	var ended *exec.ExitError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &ended):
		return &exitError{nil, ended.ExitCode()}
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, os.ErrNotExist):
		return &exitError{fmt.Errorf("there is no program %s", command[0]), exitNoProgram}
	}
	return &exitError{fmt.Errorf("%s cannot be run: %w", command[0], err), exitNotProgram}
}
