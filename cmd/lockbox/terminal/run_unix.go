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

// execute replaces this process with a program; see execve(2). It returns only if the program cannot be started. After
// execve, the program controls signals, the exit code and the terminal. execve also replaces the memory and the
// environment of lockbox, so the API key and the encryption key of lockbox are no longer in memory or in /proc.
func execute(ctx context.Context, command, environment []string) error {
	// execve needs a path. LookPath returns an error if PATH leads to a program in the current directory.
	path, err := exec.LookPath(command[0])
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, unix.ENOENT) {
		return &exitError{fmt.Errorf("program not found: %s", command[0]), exitProgramNotFound}
	}
	if err != nil {
		return &exitError{fmt.Errorf("cannot run %s: %w", command[0], err), exitNotExecutable}
	}
	if err := ctx.Err(); err != nil {
		return err // Ctrl-C was pressed before the program could receive it
	}
	// Remove the handler for Ctrl-C. If a signal was already ignored when lockbox started, the program ignores this
	// signal too.
	signal.Reset()
	err = unix.Exec(path, command, environment)
	switch {
	case errors.Is(err, unix.E2BIG):
		return &exitError{fmt.Errorf("cannot run %s: %s", command[0], explainSize(command, environment, sizeLimits())),
			exitNotExecutable}
	case errors.Is(err, unix.ENOENT):
		return &exitError{fmt.Errorf("cannot run %s: the program or its interpreter does not exist", command[0]),
			exitProgramNotFound}
	}
	return &exitError{fmt.Errorf("cannot run %s: %w", command[0], err), exitNotExecutable}
}
