package terminal

import (
	"context"
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
	"github.com/lockbox-go/lockbox/cmd/lockbox/interchange"
)

// The exit codes that shells use for programs that cannot be started.
const (
	// exitNotExecutable means that the file exists but cannot be executed.
	exitNotExecutable = 126
	// exitProgramNotFound means that the program, or the interpreter of a script, does not exist.
	exitProgramNotFound = 127
)

// runFlags are the flags of lockbox run.
type runFlags struct {
	naming interchange.Naming
	// Entries may set the unsafe variables in this list.
	allow []string
	// If this list is empty, the program gets all variables of the entries. Otherwise, it gets only the variables in
	// this list.
	only []string
}

// runCommand starts a program with secrets in its environment. It needs the permission readEntry and the encryption
// key. If an error occurs before the program starts, lockbox exits with an exit code of this package. Afterwards the
// program determines the exit code. The first error ends the command, so a program never starts with only some of its
// variables.
func runCommand(s *session) *cobra.Command {
	var flags runFlags
	command := &cobra.Command{
		Use:   "run BOX/KEY [BOX/KEY …] [flags] -- COMMAND [ARGUMENT …]",
		Short: "Run a program with entries as environment variables",
		Long: `Run a program with the values of entries as environment variables. Names of nested objects are joined
with _ and converted to upper case: {"db":{"password":"x"}} sets DB_PASSWORD. An array becomes JSON, and null sets no
variable. If an entry is a single value, the last part of the key of the entry is the name of the variable. Values
override existing variables, and later entries override earlier ones.

The program replaces lockbox, so it receives all signals and determines the exit code. The program gets neither the
API key nor the encryption key of lockbox. Nothing is written to disk. If the program cannot be started, the exit
code is 127 (not found) or 126 (not executable).

Any user who may write an entry could make the program run other code with a variable such as PATH or LD_PRELOAD, or
send secrets elsewhere with HTTPS_PROXY or SSL_CERT_FILE. Such variables are refused; --allow permits one by its
name. The list of refused variables cannot be complete. With --only, the program gets only the variables that you
name, even if an entry contains others.`,
		Example: `  lockbox run prod/app -- ./server --port 8080
  lockbox run prod/base prod/app -- env
  lockbox run prod/app --prefix APP_ -- sh -c 'echo "$APP_DB_HOST"'
  lockbox run prod/app --only DB_PASSWORD,API_KEY -- ./server
  lockbox run prod/app --allow NODE_OPTIONS -- node server.js`,
		Args: func(command *cobra.Command, args []string) error {
			// ArgsLenAtDash is -1 if the command line has no --. The -- is required, because it separates the flags of
			// lockbox from those of the program.
			if dash := command.ArgsLenAtDash(); dash < 1 || dash == len(args) {
				return errors.New("usage: lockbox run BOX/KEY -- COMMAND")
			}
			return nil
		},
		ValidArgsFunction: completeRun(s),
		RunE: func(command *cobra.Command, args []string) error {
			dash := command.ArgsLenAtDash()
			values, err := s.readVariables(command.Context(), args[:dash], flags)
			if err != nil {
				return err
			}
			return execute(command.Context(), args[dash:], environment(os.Environ(), values))
		},
	}
	addNamingFlags(command, &flags.naming)
	addAllowFlag(command, &flags.allow)
	command.Flags().StringSliceVar(&flags.only, "only", nil,
		"set only these variables, separated by commas, and ignore all others")
	s.key.addFlags(command)
	return command
}

// addNamingFlags adds the flags that determine the names of variables. The commands run and export share them.
func addNamingFlags(command *cobra.Command, naming *interchange.Naming) {
	command.Flags().StringVar(&naming.Prefix, "prefix", "", "put this before each name")
	command.Flags().BoolVar(&naming.KeepCase, "keep-case", false, "do not convert names to upper case")
}

// addAllowFlag adds --allow. Each --allow permits only one name, so every exception is visible in a script.
func addAllowFlag(command *cobra.Command, allow *[]string) {
	command.Flags().StringArrayVar(allow, "allow", nil,
		"allow entries to set this variable, although it can make programs run other code "+
			"or send secrets to another server; the flag may be repeated")
}

// completeRun completes addresses before -- and leaves the command after it to the shell.
func completeRun(s *session) cobra.CompletionFunc {
	addresses := s.completeAddresses()
	return func(command *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		if command.ArgsLenAtDash() >= 0 {
			return nil, cobra.ShellCompDirectiveDefault
		}
		return addresses(command, args, toComplete)
	}
}

// readVariables reads all entries and returns their values as NAME=value, in the order of the entries. If any entry
// cannot be read, it returns an error, and the caller starts no program.
func (s *session) readVariables(ctx context.Context, addresses []string, flags runFlags) ([]string, error) {
	entries := make([]address, len(addresses))
	for i, text := range addresses {
		at, err := parseAddress(text)
		if err != nil {
			return nil, err
		}
		entries[i] = at
	}
	server, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, at := range entries {
		keyed, err := s.keyed(ctx, server, at.box, false)
		if err != nil {
			return nil, err
		}
		entry, err := keyed.ReadEntry(ctx, at.box, at.key, nil)
		if err != nil {
			return nil, entryError(at, err)
		}
		pairs, err := variablesOf(entry, at, flags)
		if err != nil {
			return nil, entryError(at, err)
		}
		// If a name occurs several times, the last pair counts; see the function environment.
		all = append(all, pairs...)
	}
	if err := checkOnly(all, flags.only); err != nil {
		return nil, &exitError{err, exitNotFound}
	}
	return all, nil
}

// variablesOf converts the value of an entry to variables. If --only is given, it keeps only the named variables. If it
// would return an unsafe variable, it returns an error instead. Names follow the rules of interchange.Value.Variables.
func variablesOf(entry *client.Entry, at address, flags runFlags) ([]string, error) {
	value, err := interchange.Parse(entry.Value)
	if err != nil {
		return nil, err
	}
	// Copy the naming, because the key differs for each entry.
	naming := flags.naming
	naming.Key = at.key
	pairs, err := value.Environment(naming)
	if err == nil {
		pairs = selectNames(pairs, flags.only)
		err = checkNames(pairs, flags.allow)
	}
	if err != nil {
		return nil, &usageError{err}
	}
	return pairs, nil
}
