package terminal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/cmd/lockbox/prompt"
)

// Stdout is the standard output of the program. It wraps each write error in a stdoutError. Without the wrapper, a
// closed pipe at standard output and a closed network connection would cause the same error (EPIPE). Stdout stores the
// first error, because cobra's help and callers of fmt.Fprintln ignore errors. It is safe for concurrent use.
type Stdout struct {
	file *os.File

	mu  sync.Mutex
	err error
}

// Execute runs the program and returns the command that ran. It returns the error of the command or, if there is none,
// the first failed write to standard output. A command whose result was not written completely must not succeed.
func Execute(ctx context.Context, root *cobra.Command) (*cobra.Command, error) {
	command, err := root.ExecuteContextC(ctx)
	if stdout, ok := root.OutOrStdout().(*Stdout); ok && err == nil {
		err = stdout.firstError()
	}
	return command, err
}

// Write implements io.Writer. Its errors are of type *stdoutError.
func (s *Stdout) Write(text []byte) (int, error) {
	n, err := s.file.Write(text)
	if err == nil {
		return n, nil
	}
	err = &stdoutError{err}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
	return n, err
}

// firstError returns the error of the first failed write, or nil.
func (s *Stdout) firstError() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// stdoutError is a failed write to standard output.
type stdoutError struct{ error }

// Error returns a message that names standard output. The message of the os package would name the path /dev/stdout.
func (e *stdoutError) Error() string {
	cause := e.error
	if failed, ok := errors.AsType[*os.PathError](cause); ok {
		cause = failed.Err
	}
	return fmt.Sprintf("cannot write the result to standard output: %s", cause)
}

// Unwrap returns the error of the operating system.
func (e *stdoutError) Unwrap() error { return e.error }

// readerClosed reports whether the reader of standard output has closed the pipe. For example, head closes the pipe
// after the last line that it needs. On Unix, the program never sees this error: the Go runtime ends the program with
// SIGPIPE, even if the program was started with this signal ignored.
func readerClosed(err error) bool {
	_, output := errors.AsType[*stdoutError](err)
	return output && errors.Is(err, syscall.EPIPE)
}

// isTerminal reports whether an output is a terminal.
func isTerminal(out io.Writer) bool {
	if stdout, ok := out.(*Stdout); ok {
		return prompt.IsTerminal(stdout.file)
	}
	return prompt.IsTerminal(out)
}
