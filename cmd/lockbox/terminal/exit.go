package terminal

import (
	"context"
	"errors"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
)

// Exit codes tell scripts what kind of failure it was. They are part of what scripts rely on.
const (
	exitFailure         = 1
	exitUsage           = 2
	exitUnauthenticated = 3
	exitForbidden       = 4
	exitNotFound        = 5
	exitConflict        = 6
	exitUnavailable     = 7
	exitWrongKey        = 8
)

// exitCodes is read from the top: the first kind that an error is decides.
var exitCodes = []struct {
	kind error
	code int
}{
	{client.ErrEncryptionKeyMismatch, exitWrongKey},
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
	{errSessionEnded, exitUnauthenticated},
}

// ExitCode returns what the program ends with after an error; 0 when there is none.
func ExitCode(err error) int {
	var usage *usageError
	var coded *exitError
	switch {
	case err == nil, Quiet(err) && errors.Is(err, syscall.EPIPE):
		return 0
	case errors.As(err, &coded):
		return coded.code
	case errors.As(err, &usage):
		return exitUsage
	}
	for _, each := range exitCodes {
		if errors.Is(err, each.kind) {
			return each.code
		}
	}
	if errors.Is(err, context.Canceled) {
		return 128 + int(syscall.SIGINT)
	}
	return exitFailure
}

// Quiet reports whether there is nothing to say of an error: the reader of a pipe has gone, Ctrl-C was pressed, or a
// command that was run has said it itself.
func Quiet(err error) bool {
	var coded *exitError
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, context.Canceled) ||
		(errors.As(err, &coded) && coded.error == nil)
}

// exitError ends the program with a code of its own. Without an error nothing is printed.
type exitError struct {
	error
	code int
}

func (e *exitError) Error() string {
	if e.error == nil {
		return ""
	}
	return e.error.Error()
}

func (e *exitError) Unwrap() error { return e.error }

// usageError is a mistake in how the program was called.
type usageError struct{ error }

func (e *usageError) Unwrap() error { return e.error }

// MarkUsage makes all that cobra finds wrong with how a command was called a mistake of usage, with where to read more.
func MarkUsage(root *cobra.Command) {
	root.SetFlagErrorFunc(func(command *cobra.Command, err error) error { return usage(command, err) })
	walk(root, func(command *cobra.Command) {
		check := command.Args
		if check == nil {
			check = cobra.ArbitraryArgs
			if command.HasSubCommands() && !command.Runnable() {
				// cobra looks at the arguments of what it can run alone.
				check, command.RunE = knownSubcommand, func(command *cobra.Command,
					_ []string) error {
					return command.Help()
				}
			}
		}
		command.Args = func(command *cobra.Command, args []string) error {
			// cobra looks at the flags too, but later, and its mistakes would be nobody's.
			for _, err := range []error{counted(command, check(command, args)), required(command), together(command)} {
				if err != nil {
					return usage(command, err)
				}
			}
			return nil
		}
	})
}

func usage(command *cobra.Command, err error) error {
	return &usageError{errors.New(err.Error() + "; see " + command.CommandPath() + " --help")}
}

// counted puts what cobra says of too many or too few arguments into the line that says which there are.
func counted(command *cobra.Command, err error) error {
	if err == nil || !strings.Contains(err.Error(), "arg(s)") && !strings.HasPrefix(err.Error(), "unknown command") {
		return err
	}
	return errors.New("write " + strings.Replace(command.UseLine(), " [flags]", "", 1))
}

func required(command *cobra.Command) error {
	if command.ValidateRequiredFlags() == nil {
		return nil
	}
	return errors.New("write " + strings.Replace(command.UseLine(), " [flags]", "", 1))
}

// together names the flags that do not go together.
func together(command *cobra.Command) error {
	err := command.ValidateFlagGroups()
	if err == nil {
		return nil
	}
	_, given, _ := strings.Cut(err.Error(), "; [")
	given, _, found := strings.Cut(given, "] were all set")
	if !found {
		return err
	}
	return errors.New("--" + strings.Join(strings.Fields(given), " and --") + " do not go together")
}

func knownSubcommand(command *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	text := "there is no command " + command.CommandPath() + " " + printable(args[0])
	if near := meant(command, args[0]); len(near) > 0 {
		text += "; do you mean " + command.CommandPath() + " " + strings.Join(near, " or ") + "?"
	}
	return errors.New(text)
}

// meant are the commands that go by that word elsewhere, or else those that a slip of the finger leads to.
func meant(command *cobra.Command, word string) []string {
	for _, child := range command.Commands() {
		if slices.Contains(child.SuggestFor, word) {
			return []string{child.Name()}
		}
	}
	if len(word) < 4 {
		return nil // everything short is near
	}
	command.SuggestionsMinimumDistance = 2
	return slices.Compact(slices.Sorted(slices.Values(command.SuggestionsFor(word))))
}

func walk(command *cobra.Command, visit func(*cobra.Command)) {
	visit(command)
	for _, child := range command.Commands() {
		walk(child, visit)
	}
}
