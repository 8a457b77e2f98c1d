package terminal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestOnlyStdoutEndsQuietly checks that a closed pipe at standard output causes no message and the exit code 0. The
// same error of the operating system on another stream is a failure.
func TestOnlyStdoutEndsQuietly(t *testing.T) {
	t.Parallel()
	closed := &os.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.EPIPE}
	for _, err := range []error{&stdoutError{closed}, fmt.Errorf("list: %w", &stdoutError{closed})} {
		assert.True(t, Quiet(err), err)
		assert.Equal(t, 0, ExitCode(err), err)
	}
	for _, err := range []error{
		closed,
		&net.OpError{Op: "write", Err: os.NewSyscallError("write", syscall.EPIPE)},
		io.ErrClosedPipe,
		errors.Join(errors.New("other"), syscall.EPIPE),
		&stdoutError{&os.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.ENOSPC}},
		&stdoutError{io.ErrShortWrite},
	} {
		assert.False(t, Quiet(err), err)
		assert.Equal(t, exitFailure, ExitCode(err), err)
	}
	assert.Equal(t, exitInterrupted, ExitCode(fmt.Errorf("waiting: %w", context.Canceled)))
}
