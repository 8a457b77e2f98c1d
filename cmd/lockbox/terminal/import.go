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

// importFlags are the flags of lockbox import. --merge and --each are mutually exclusive.
type importFlags struct {
	// If format is "", the name of the file determines the format.
	format string
	dryRun bool
	// If merge is true, the entry keeps names that are not in the file.
	merge bool
	// If each is true, the command writes a separate entry for each name.
	each bool
	// yes skips the confirmation.
	yes bool
}

// importCommand writes a file into one entry. With --each, it writes a separate entry for each name in the file. It
// compares the file with the existing entries before it writes. It therefore needs the encryption key of the existing
// entries, and the permissions readEntry and createEntry. With --each, it also needs the permission readEntryKeys. With
// --dry-run or --output json, the command prints the names of the fields, grouped by the kind of change. It never
// prints a value. The exit code is exitConflict if another user writes the entry in the meantime.
func importCommand(s *session) *cobra.Command {
	var flags importFlags
	command := &cobra.Command{
		Use:   "import BOX/KEY FILE",
		Short: "Write the names and values of a dotenv, JSON or YAML file into an entry",
		Long: `Write the names and values of a file into one entry, as an object. The name of the file (.env, .json,
.yaml, .yml) or --format determines the format. The file name - means standard input.

The entry becomes a copy of the file: names that are not in the file are removed, unless --merge is given. The
command asks before it changes or removes a value. --dry-run shows the changes by name only and writes nothing. If
another user writes the entry during the import, the import fails and writes nothing.

With --each, the command writes an entry of its own for each name in the file, under BOX or BOX/PREFIX. It removes
nothing. To continue an interrupted import, run the same command again.

Values of a .env file are taken literally: $NAME is not replaced. The command warns about names that lockbox run and
lockbox export refuse or change.`,
		Example: `  lockbox import prod/app .env --dry-run
  lockbox import prod/app .env
  lockbox import prod/app extra.yaml --merge --yes
  lockbox import prod/app - --format json < app.json
  lockbox import prod/app secrets.env --each          # prod/app/db_password, …`,
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: completeAddressThenFile(s),
		RunE: func(command *cobra.Command, args []string) error {
			return s.importFile(command.Context(), args[0], args[1], flags)
		},
	}
	command.Flags().StringVar(&flags.format, "format", "",
		strings.Join(interchange.Readable(), ", ")+" (default: derived from the name of the file)")
	command.Flags().BoolVar(&flags.dryRun, "dry-run", false,
		"show the names that would change, but no values, and write nothing")
	command.Flags().BoolVar(&flags.merge, "merge", false, "do not remove names that are missing from the file")
	command.Flags().BoolVar(&flags.each, "each", false, "write a separate entry for each name")
	addYesFlag(command, &flags.yes)
	// --each never removes a name, so --merge would have no effect.
	command.MarkFlagsMutuallyExclusive("merge", "each")
	_ = command.RegisterFlagCompletionFunc("format",
		cobra.FixedCompletions(interchange.Readable(), cobra.ShellCompDirectiveNoFileComp))
	s.key.addFlags(command)
	return command
}

// importFile reads the file before it contacts the server, so that a broken file is reported without a request.
func (s *session) importFile(ctx context.Context, where, path string, flags importFlags) error {
	value, format, err := s.readFile(ctx, path, flags.format)
	if err != nil {
		return err
	}
	_, key, _ := strings.Cut(where, "/")
	s.warnOfNames(value, key, format == interchange.Dotenv, flags.each)
	server, err := s.open(ctx)
	if err != nil {
		return err
	}
	if flags.each {
		// With --each, the address can be just the name of a box. parseAddress would reject such an address.
		box, prefix, _ := strings.Cut(where, "/")
		return s.importEach(ctx, server, address{box, prefix}, value, flags)
	}
	at, err := parseAddress(where)
	if err != nil {
		return err
	}
	return s.importOne(ctx, server, at, value, flags)
}

// readFile reads an object with at least one name from a file or, for "-", from standard input. It also returns the
// format of the file.
func (s *session) readFile(ctx context.Context, path, format string) (value interchange.Value,
	fileFormat interchange.Format, err error) {
	fileFormat, known := interchange.FormatOf(path)
	switch {
	case format != "":
		fileFormat = interchange.Format(strings.ToLower(format))
	// Do not guess the format from the contents, because a broken file could be misinterpreted.
	case !known:
		return value, fileFormat, &usageError{fmt.Errorf("cannot tell the format of %s from its name: "+
			"use --format %s", path, strings.Join(interchange.Readable(), "|"))}
	}
	// The path "-" always means standard input, even if a file with this name exists.
	in := s.input(ctx)
	if path != "-" {
		file, err := os.Open(path) //nolint:gosec // the user names the file
		if err != nil {
			return value, fileFormat, &usageError{fmt.Errorf("cannot read the file: %w", err)}
		}
		defer file.Close()
		in = file
	}
	text, err := readAll(in, path)
	if err != nil {
		return value, fileFormat, err
	}
	value, err = interchange.Read(fileFormat, text)
	if err != nil {
		return value, fileFormat, &usageError{fmt.Errorf("%s: %w", path, err)}
	}
	// An empty file is probably a mistake. Importing it would remove all names of the entry.
	if len(value.Names()) == 0 {
		return value, fileFormat, &usageError{fmt.Errorf("%s: contains no names", path)}
	}
	return value, fileFormat, nil
}

// importOne writes an object into one entry. It reads the entry and computes the changes. If another user writes the
// entry after this read, the import fails and overwrites nothing.
func (s *session) importOne(ctx context.Context, server *client.Client, at address, value interchange.Value,
	flags importFlags) error {
	// Ask twice for the encryption key. Otherwise, a new entry could be encrypted under a mistyped key.
	server, err := s.keyed(ctx, server, at.box, true)
	if err != nil {
		return err
	}
	before, condition, err := currentValue(ctx, server, at, flags.merge)
	if err != nil {
		return err
	}
	if flags.merge {
		if err := errors.Join(before.CheckNames(), value.CheckNames()); err != nil {
			return entryError(at, &usageError{err})
		}
		value = interchange.Merge(before, value)
	}
	changes := interchange.Compare(before, value)
	if err := s.confirmChanges(ctx, at, changes, flags); err != nil || flags.dryRun {
		return err
	}
	// A repeated import must not create a version that equals the previous one.
	if changes.None() {
		return s.showImported(changes)
	}
	if _, err := s.writeEntry(ctx, server, at, value.JSON(), condition); err != nil {
		return err
	}
	return s.showImported(changes)
}

// currentValue reads the entry that an import replaces. It returns the value, and options that make a later write fail
// if the entry has changed since the read. For a missing entry, it returns an empty object, and the write fails if the
// entry has been created since the read. If needObject is true, a value that is not an object is an error.
func currentValue(ctx context.Context, server *client.Client, at address, needObject bool) (interchange.Value,
	client.WriteOptions, error) {
	var condition client.WriteOptions
	entry, err := server.ReadEntry(ctx, at.box, at.key, nil)
	if isMissingEntry(err) {
		condition.IfNoneMatch = true
		return interchange.Empty(), condition, nil
	}
	if err != nil {
		return interchange.Value{}, condition, err
	}
	condition.IfMatch = entry.Version
	// Parse refuses a value with duplicate field names, because such a value cannot be compared. Another client may
	// have written one.
	value, err := interchange.Parse(entry.Value)
	if err != nil {
		return value, condition, entryError(at, err)
	}
	if needObject && !value.IsObject() {
		return value, condition, &exitError{
			fmt.Errorf("%s contains no object, so --merge cannot add names to it", at),
			exitConflict,
		}
	}
	return value, condition, nil
}

// isMissingEntry reports whether the error means a missing entry. A missing box causes the same exit code but has
// another error code.
func isMissingEntry(err error) bool {
	var refused *client.Error
	return errors.As(err, &refused) && refused.Code == "entry_not_found"
}

// confirmChanges asks for confirmation if values would be changed or removed. Added values need no confirmation. In a
// dry run, it prints the changes instead.
func (s *session) confirmChanges(ctx context.Context, at address, changes interchange.Changes,
	flags importFlags) error {
	if flags.dryRun {
		return s.showChanges(changes)
	}
	if len(changes.Changed)+len(changes.Removed) == 0 {
		return nil
	}
	return confirm(ctx, flags.yes, "%s: %s. Continue?", at, summary(changes))
}
