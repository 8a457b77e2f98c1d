package terminal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
	"github.com/lockbox-go/lockbox/cmd/lockbox/interchange"
)

type importFlags struct {
	format                   string
	dryRun, merge, each, yes bool
}

func importCommand(s *session) *cobra.Command {
	var flags importFlags
	command := &cobra.Command{
		Use:   "import BOX/KEY FILE",
		Short: "Write the names and values of a dotenv, JSON or YAML file into an entry",
		Long: `Write the names and values of a file into one entry, as an object. The format comes from the name of the file (.env, .json,
.yaml, .yml) or from --format; FILE - is standard input.

The entry becomes what the file says: names that it does not have are removed, unless --merge keeps them. It asks before
a value is changed or removed; --dry-run shows what would change, by name alone. When somebody else writes the entry
meanwhile, nothing is written.

With --each, every name of the file becomes an entry of its own, under BOX or BOX/PREFIX, and nothing is removed. Where
that is broken off, the same command goes on.

In a .env file nothing is replaced by the value of a variable: $ is a character as any other.`,
		Example: `  lockbox import prod/app .env --dry-run
  lockbox import prod/app .env
  lockbox import prod/app extra.yaml --merge --yes
  lockbox import prod/app - --format json < app.json
  lockbox import prod/app secrets.env --each          # prod/app/db_password, …`,
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: setCompletion(s),
		RunE: func(command *cobra.Command, args []string) error {
			return s.importFile(command.Context(), args[0], args[1], flags)
		},
	}
	command.Flags().StringVar(&flags.format, "format", "",
		strings.Join(interchange.Readable(), ", ")+"; by the name of the file otherwise")
	command.Flags().BoolVar(&flags.dryRun, "dry-run", false,
		"show what would change, by name alone, and change nothing")
	command.Flags().BoolVar(&flags.merge, "merge", false, "keep names that the file does not have")
	command.Flags().BoolVar(&flags.each, "each", false, "write an entry for each name")
	yesFlag(command, &flags.yes)
	command.MarkFlagsMutuallyExclusive("merge", "each")
	_ = command.RegisterFlagCompletionFunc("format",
		cobra.FixedCompletions(interchange.Readable(), cobra.ShellCompDirectiveNoFileComp))
	s.key.flags(command)
	return command
}

func (s *session) importFile(ctx context.Context, where, path string, flags importFlags) error {
	value, err := s.readFile(ctx, path, flags.format)
	if err != nil {
		return err
	}
	server, err := s.open(ctx)
	if err != nil {
		return err
	}
	if flags.each {
		box, prefix, _ := strings.Cut(where, "/")
		return s.importEach(ctx, server, address{box, prefix}, value, flags)
	}
	at, err := parseAddress(where)
	if err != nil {
		return err
	}
	return s.importOne(ctx, server, at, value, flags)
}

func (s *session) readFile(ctx context.Context, path, format string) (interchange.Value, error) {
	named, known := interchange.FormatOf(path)
	switch {
	case format != "":
		named = interchange.Format(format)
	case !known:
		return interchange.Value{},
			&usageError{fmt.Errorf("the name %s does not tell a format: use --format %s", path,
				strings.Join(interchange.Readable(), "|"))}
	}
	in := s.input(ctx)
	if path != "-" {
		file, err := os.Open(path) //nolint:gosec // what the user named
		if err != nil {
			return interchange.Value{}, &usageError{fmt.Errorf("the file cannot be read: %w", err)}
		}
		defer file.Close()
		in = file
	}
	text, err := readAll(in, path)
	if err != nil {
		return interchange.Value{}, err
	}
	value, err := interchange.Read(named, text)
	if err != nil {
		return interchange.Value{}, &usageError{fmt.Errorf("%s: %w", path, err)}
	}
	if len(value.Names()) == 0 {
		return interchange.Value{}, &usageError{fmt.Errorf("%s: there are no names in it", path)}
	}
	return value, nil
}

// importOne writes an object into one entry, under the condition that it is still what the changes were told of.
func (s *session) importOne(ctx context.Context, server *client.Client, at address, value interchange.Value,
	flags importFlags) error {
	key, err := s.encryptionKey(ctx, true)
	if err != nil {
		return err
	}
	condition := client.WriteOptions{EncryptionKey: key}
	before := interchange.Empty()
	entry, err := server.ReadEntry(ctx, at.box, at.key, &client.ReadOptions{EncryptionKey: key})
	switch {
	case isMissingEntry(err):
		condition.IfNoneMatch = true
	case err != nil:
		return err
	default:
		condition.IfMatch = entry.Version
		if before, err = interchange.Parse(entry.Value); err != nil {
			return about(at, err)
		}
		if flags.merge && !before.IsObject() {
			return &exitError{fmt.Errorf("%s holds one value and no names: there is nothing to merge with", at),
				exitConflict}
		}
	}
	if flags.merge {
		value = interchange.Merge(before, value)
	}
	changes := interchange.Compare(before, value)
	if err := s.agreeTo(ctx, at, changes, flags); err != nil || flags.dryRun {
		return err
	}
	if changes.None() {
		return s.showImported(changes)
	}
	if _, err := s.put(ctx, server, at, value.JSON(), condition); err != nil {
		return err
	}
	return s.showImported(changes)
}

func isMissingEntry(err error) bool {
	var refused *client.Error
	return errors.As(err, &refused) && refused.Code == "entry_not_found"
}

// agreeTo shows a dry run, or asks before values are lost.
func (s *session) agreeTo(ctx context.Context, at address, changes interchange.Changes, flags importFlags) error {
	if flags.dryRun {
		return s.showChanges(changes)
	}
	if len(changes.Changed)+len(changes.Removed) == 0 {
		return nil
	}
	return sure(ctx, flags.yes, "%s: %s. Go on?", at, count(changes))
}
