package terminal

import (
	"context"
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
	"github.com/lockbox-go/lockbox/cmd/lockbox/interchange"
)

type runFlags struct {
	naming interchange.Naming
	allow  []string
}

func runCommand(s *session) *cobra.Command {
	var flags runFlags
	command := &cobra.Command{
		Use:   "run BOX/KEY [BOX/KEY …] [flags] -- COMMAND [ARGUMENT …]",
		Short: "Run a program with the values of entries as environment variables",
		Long: `Run a program with the values of entries as environment variables. Names of objects in each other are joined with _ and
put in upper case: {"db":{"password":"x"}} sets DB_PASSWORD. An array is set as JSON, null sets nothing, and an entry that
is a single value is named after the last part of its key. Values go before variables of the same name that are there
already, and later entries before earlier ones.

The program takes the place of lockbox: signals and the exit code are its own. It gets neither the API key nor the
encryption key of lockbox, and nothing is written to disk. Where it cannot be started, the exit code is 127 (not found) or
126 (not a program).

Whoever may write an entry could make the program run code of theirs with a variable such as PATH or LD_PRELOAD. Such
names are refused; --allow takes the ones that are meant.`,
		Example: `  lockbox run prod/app -- ./server --port 8080
  lockbox run prod/base prod/app -- env
  lockbox run prod/app --prefix APP_ -- sh -c 'echo "$APP_DB_HOST"'
  lockbox run prod/app --allow NODE_OPTIONS -- node server.js`,
		Args: func(command *cobra.Command, args []string) error {
			if dash := command.ArgsLenAtDash(); dash < 1 || dash == len(args) {
				return errors.New("write lockbox run BOX/KEY -- COMMAND")
			}
			return nil
		},
		ValidArgsFunction: runCompletion(s),
		RunE: func(command *cobra.Command, args []string) error {
			dash := command.ArgsLenAtDash()
			values, err := s.environmentOf(command.Context(), args[:dash], flags)
			if err != nil {
				return err
			}
			return execute(command.Context(), args[dash:], environment(os.Environ(), values))
		},
	}
	namingFlags(command, &flags.naming)
	allowFlag(command, &flags.allow)
	s.key.flags(command)
	return command
}

func namingFlags(command *cobra.Command, naming *interchange.Naming) {
	command.Flags().StringVar(&naming.Prefix, "prefix", "", "put this before each name")
	command.Flags().BoolVar(&naming.KeepCase, "keep-case", false, "leave lower-case letters in names")
}

func allowFlag(command *cobra.Command, allow *[]string) {
	command.Flags().StringArrayVar(allow, "allow", nil,
		"let entries set this variable, although it can make programs run other code")
}

// runCompletion completes addresses before the --, and leaves what follows to the shell.
func runCompletion(s *session) cobra.CompletionFunc {
	addresses := s.completeAddresses()
	return func(command *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if command.ArgsLenAtDash() >= 0 {
			return nil, cobra.ShellCompDirectiveDefault
		}
		return addresses(command, args, begun)
	}
}

// environmentOf reads all entries before anything is started, and returns their values as NAME=value.
func (s *session) environmentOf(ctx context.Context, addresses []string, flags runFlags) ([]string, error) {
	places := make([]address, len(addresses))
	for i, each := range addresses {
		at, err := parseAddress(each)
		if err != nil {
			return nil, err
		}
		places[i] = at
	}
	server, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	key, err := s.encryptionKey(ctx, false)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, at := range places {
		entry, err := server.ReadEntry(ctx, at.box, at.key, &client.ReadOptions{EncryptionKey: key})
		if err != nil {
			return nil, about(at, err)
		}
		naming := flags.naming
		naming.Key = at.key
		value, err := interchange.Parse(entry.Value)
		if err != nil {
			return nil, about(at, err)
		}
		pairs, err := value.Environment(naming)
		if err == nil {
			err = checkNames(pairs, flags.allow)
		}
		if err != nil {
			return nil, about(at, &usageError{err})
		}
		all = append(all, pairs...)
	}
	return all, nil
}
