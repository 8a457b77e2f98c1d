package terminal

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// MarkUsage makes every command return a usage error if cobra finds a mistake in the arguments or flags. The message of
// the error refers to the help of the command. Call it once, after all commands have been added.
func MarkUsage(root *cobra.Command) {
	root.SetFlagErrorFunc(func(command *cobra.Command, err error) error { return usage(command, err) })
	visitCommands(root, func(command *cobra.Command) {
		checkArgs := command.Args
		if checkArgs == nil {
			checkArgs = cobra.ArbitraryArgs
			if command.HasSubCommands() && !command.Runnable() {
				// cobra checks arguments only for runnable commands. Make a command such as "lockbox box" runnable, so
				// that an unknown subcommand causes an error instead of printing the help.
				checkArgs, command.RunE = checkSubcommand, func(command *cobra.Command, _ []string) error {
					return command.Help()
				}
			}
		}
		command.Args = func(command *cobra.Command, args []string) error {
			// cobra itself checks required flags and groups of flags, but only after this function has returned. Its
			// errors look like errors of the command. Therefore, check the flags here and return usage errors.
			for _, err := range []error{
				checkEmptyFlags(command),
				checkEmptyArgs(command, args),
				explainArgs(command, checkArgs(command, args)),
				checkRequiredFlags(command),
				checkFlagGroups(command),
			} {
				if err != nil {
					return usage(command, err)
				}
			}
			return nil
		}
	})
}

// checkEmptyFlags refuses flags with an empty value, or with an empty element in a list. Such a value almost always
// comes from an unset variable of a shell. It could do harm: for example, --set "" would revoke all permissions. There
// are no exceptions, because no flag of the program needs an empty value.
func checkEmptyFlags(command *cobra.Command) error {
	var empty error
	command.Flags().Visit(func(flag *pflag.Flag) {
		values := []string{flag.Value.String()}
		if list, is := flag.Value.(pflag.SliceValue); is {
			values = list.GetSlice()
		}
		if len(values) == 0 || slices.ContainsFunc(values, isBlank) {
			empty = fmt.Errorf("--%s has an empty value: is a variable of the shell unset? "+
				"Leave the flag out, or give it a value", flag.Name)
		}
	})
	return empty
}

// isBlank reports whether text is empty or white space only.
func isBlank(text string) bool { return strings.TrimSpace(text) == "" }

// emptyArgument is the annotation of commands that accept an empty argument. Its value is the index of the argument
// that may be empty.
const emptyArgument = "lockbox-empty-argument"

// checkEmptyArgs refuses empty arguments for the same reason as checkEmptyFlags. For example, an empty user name could
// select the caller's account. It ignores arguments after --, which belong to another program.
func checkEmptyArgs(command *cobra.Command, args []string) error {
	if dash := command.ArgsLenAtDash(); dash >= 0 {
		args = args[:dash]
	}
	for i, arg := range args {
		if isBlank(arg) && command.Annotations[emptyArgument] != strconv.Itoa(i) {
			return fmt.Errorf("argument %d is empty: is a variable of the shell unset?", i+1)
		}
	}
	return nil
}

// usage converts an error to a usage error. The message refers to the help of the command.
func usage(command *cobra.Command, err error) error {
	return &usageError{errors.New(err.Error() + "; see " + command.CommandPath() + " --help")}
}

// UsageError exports usage for commands outside this package.
func UsageError(command *cobra.Command, err error) error { return usage(command, err) }

// explainArgs returns the usage line of the command instead of cobra's message about a wrong number of arguments. That
// message can be misleading: if a command takes no arguments, cobra reports the first argument as an unknown command.
func explainArgs(command *cobra.Command, err error) error {
	if err == nil || !strings.Contains(err.Error(), "arg(s)") && !strings.HasPrefix(err.Error(), `unknown command "`) {
		return err
	}
	return usageLine(command)
}

// usageLine returns an error with the usage line of the command, without "[flags]".
func usageLine(command *cobra.Command) error {
	return errors.New("usage: " + strings.Replace(command.UseLine(), " [flags]", "", 1))
}

// checkRequiredFlags returns the usage line of the command if a required flag is missing. The usage line includes the
// required flags.
func checkRequiredFlags(command *cobra.Command) error {
	if command.ValidateRequiredFlags() == nil {
		return nil
	}
	return usageLine(command)
}

// checkFlagGroups returns an error if several of the given flags are mutually exclusive. The error names only the given
// flags. checkFlagGroups finds their names in cobra's message, which also lists the whole group: "if any flags in the
// group [a b c] are set none of the others can be; [a b] were all set".
func checkFlagGroups(command *cobra.Command) error {
	err := command.ValidateFlagGroups()
	if err == nil {
		return nil
	}
	_, given, _ := strings.Cut(err.Error(), "; [")
	given, _, found := strings.Cut(given, "] were all set")
	if !found {
		return err
	}
	return errors.New("--" + strings.Join(strings.Fields(given), " and --") + " cannot be combined")
}

// checkSubcommand rejects an unknown subcommand and suggests similar ones.
func checkSubcommand(command *cobra.Command, args []string) error {
	// Without an argument, the parent command prints its help.
	if len(args) == 0 {
		return nil
	}
	text := "unknown command " + command.CommandPath() + " " + printable(args[0])
	if similar := suggestions(command, args[0]); len(similar) > 0 {
		text += "; did you mean " + command.CommandPath() + " " + strings.Join(similar, " or ") + "?"
	}
	return errors.New(text)
}

// suggestions returns the subcommands that the user may have meant. The argument word is the text that the user typed.
// If SuggestFor of a subcommand contains this text, suggestions returns only this subcommand. Otherwise, it returns all
// subcommands with a similar spelling, or none if the text has at most three letters.
func suggestions(command *cobra.Command, word string) []string {
	for _, child := range command.Commands() {
		if slices.Contains(child.SuggestFor, word) {
			return []string{child.Name()}
		}
	}
	if len(word) < 4 {
		return nil // every short word is similar to some command
	}
	command.SuggestionsMinimumDistance = 2
	return slices.Compact(slices.Sorted(slices.Values(command.SuggestionsFor(word))))
}

// visitCommands calls the function visit for a command and all its subcommands at every level, parents first.
func visitCommands(command *cobra.Command, visit func(*cobra.Command)) {
	visit(command)
	for _, child := range command.Commands() {
		visitCommands(child, visit)
	}
}
