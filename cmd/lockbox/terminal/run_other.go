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

// execute runs a program, waits for it and returns its exit code as an exitError. The console delivers Ctrl-C to
// lockbox and to the program. lockbox ignores Ctrl-C, so that the program can handle it.
func execute(ctx context.Context, command, environment []string) error {
	// If Ctrl-C was pressed while the entries were read, do not start the program.
	if err := ctx.Err(); err != nil {
		return err
	}
	signal.Ignore(os.Interrupt)
	child := exec.Command(command[0], command[1:]...) //nolint:gosec,noctx // the user chooses the program
	child.Env, child.Stdin, child.Stdout, child.Stderr = environment, os.Stdin, os.Stdout, os.Stderr
	err := child.Run()
	var exited *exec.ExitError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &exited):
		return &exitError{nil, exited.ExitCode()}
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, os.ErrNotExist):
		return &exitError{fmt.Errorf("program not found: %s", command[0]), exitProgramNotFound}
	}
	return &exitError{fmt.Errorf("cannot run %s: %w", command[0], err), exitNotExecutable}
}
