package terminal

import (
	"context"
	"errors"

	"github.com/lockbox-go/lockbox/client"
)

// The exit codes for kinds of failure. They never change, because scripts rely on them. docs/terminal.md documents
// them.
const (
	// exitFailure is any failure without a code of its own.
	exitFailure = 1
	// exitUsage means an invalid command line, or a request that the server rejects as invalid (400, 413).
	exitUsage = 2
	// exitUnauthenticated means that no one is signed in, or that the token is invalid or expired (401).
	exitUnauthenticated = 3
	// exitForbidden means that the caller lacks a permission, a role or a group (403).
	exitForbidden = 4
	// exitNotFound means that the resource does not exist or that the caller may not see it (404).
	exitNotFound = 5
	// exitConflict means a conflict with the current state, such as a name in use or a newer version (409, 412).
	exitConflict = 6
	// exitUnavailable means that the server is unreachable or busy, or that a rate limit applies (429, 502, 503, 504).
	// A retry can succeed.
	exitUnavailable = 7
	// exitWrongKey means that the value is not encrypted under the given key (403). It is separate from exitForbidden,
	// because the remedy is different.
	exitWrongKey = 8
	// exitInterrupted means that Ctrl-C ended the program. The code follows the rule of shells: 128 plus the number of
	// SIGINT, which is 2.
	exitInterrupted = 130
)

// exitCodes maps kinds of errors to exit codes. The first matching kind decides. The kinds for a wrong key come before
// ErrForbidden, because an error about a wrong key can also have the kind ErrForbidden.
var exitCodes = []struct {
	kind error
	code int
}{
	{client.ErrEncryptionKeyMismatch, exitWrongKey},
	{client.ErrUnlockFailed, exitWrongKey},
	{client.ErrKeyNotForThisBox, exitWrongKey},
	{client.ErrUnauthenticated, exitUnauthenticated},
	{client.ErrForbidden, exitForbidden},
	{client.ErrNotFound, exitNotFound},
	{client.ErrPrecondition, exitConflict},
	{client.ErrConflict, exitConflict},
	{client.ErrThrottled, exitUnavailable},
	{client.ErrUnavailable, exitUnavailable},
	{client.ErrInvalid, exitUsage},
	{client.ErrTooLarge, exitUsage},
	{errNotSignedIn, exitUnauthenticated},
	// The client itself detects the errors below, so they have no HTTP status. Here exitConflict means that the server
	// contradicts what this machine remembers, and exitUsage means that a person must confirm or correct something.
	{client.ErrNotRecipient, exitForbidden},
	{client.ErrNoKeyring, exitNotFound},
	{client.ErrKeyringMissing, exitConflict},
	{client.ErrKeyringNotContinued, exitConflict},
	{client.ErrKeyringRolledBack, exitConflict},
	{client.ErrKeyringForked, exitConflict},
	{client.ErrKeyringModeChanged, exitConflict},
	{client.ErrKeyringSequence, exitConflict},
	{client.ErrInstallationChanged, exitConflict},
	{client.ErrInstallationElsewhere, exitConflict},
	{client.ErrBoxReplaced, exitConflict},
	{client.ErrUserReplaced, exitConflict},
	{client.ErrIdentityChanged, exitConflict},
	{client.ErrIdentityUnconfirmed, exitUsage},
	{client.ErrKeyringAuthorUnknown, exitUsage},
	{client.ErrKeyringInvalid, exitUsage},
	{client.ErrIdentityInvalid, exitUsage},
	{client.ErrAnchorInvalid, exitUsage},
	{client.ErrClientEncryption, exitUsage},
}

// ExitCode returns the exit code of the program for an error: 0 for nil, 130 after Ctrl-C, and otherwise the code for
// the kind of the error.
func ExitCode(err error) int {
	var usage *usageError
	var coded *exitError
	switch {
	// A closed pipe is not a failure of this program, because head and pagers close the pipe when they need no more
	// input.
	case err == nil, readerClosed(err):
		return 0
	case errors.As(err, &coded):
		return coded.code
	// Check for Ctrl-C before the kinds. If Ctrl-C ends the wait for a retry, the error also has the kind of the failed
	// attempt, such as ErrUnavailable.
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.As(err, &usage):
		return exitUsage
	}
	for _, each := range exitCodes {
		if errors.Is(err, each.kind) {
			return each.code
		}
	}
	return exitFailure
}

// Quiet reports whether the program prints no message for an error. There are three such cases: the reader of standard
// output closed the pipe, the user pressed Ctrl-C, or a program that lockbox started has already reported its failure.
// ExitCode still determines the exit code.
func Quiet(err error) bool {
	var coded *exitError
	return readerClosed(err) || errors.Is(err, context.Canceled) ||
		(errors.As(err, &coded) && coded.error == nil)
}

// exitError is an error with its own exit code. If the wrapped error is nil, the program prints no message.
type exitError struct {
	error
	code int
}

// Error returns the message of the wrapped error, or "".
func (e *exitError) Error() string {
	if e.error == nil {
		return ""
	}
	return e.error.Error()
}

// Unwrap returns the wrapped error, which may be nil.
func (e *exitError) Unwrap() error { return e.error }

// usageError is a mistake in the command line. Its exit code is exitUsage. Mistakes that only the server can detect
// have their own kinds.
type usageError struct{ error }

// Unwrap returns the wrapped error, so that Explain finds errors of the client.
func (e *usageError) Unwrap() error { return e.error }
