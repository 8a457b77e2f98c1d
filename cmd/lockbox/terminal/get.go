package terminal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
	"github.com/lockbox-go/lockbox/cmd/lockbox/interchange"
)

// getFlags are the flags of lockbox get.
type getFlags struct {
	// field is a path in the syntax of interchange.Value.Field.
	field string
	raw   bool
	// version is the version to read; 0 is the newest.
	version uint64
}

// getCommand reads an entry (GET /boxes/{box}/entries/{key}). It needs the permission readEntry and the encryption key;
// the exit code is exitWrongKey if the key is wrong. The exit code is exitNotFound if the entry, the version or the
// field does not exist. The server writes an audit event for each read of a value. Without --raw, the output is
// indented JSON with a line end.
func getCommand(s *session) *cobra.Command {
	var flags getFlags
	command := &cobra.Command{
		Use:        "get BOX/KEY",
		SuggestFor: []string{"read", "show"},
		Short:      "Read an entry or one of its fields",
		Long: `Read an entry and print its value as JSON, or print one field of the value. --raw prints a string
without quotes, and adds a line end only on a terminal. --output json adds the version and its time.`,
		Example: `  lockbox get prod/app
  lockbox get prod/app --field db.password --raw
  lockbox get prod/app --field hosts.0
  lockbox get prod/app --version 3
  lockbox get prod/tls/key --raw > key.pem`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeFirst(s.completeAddresses()),
		RunE:              func(command *cobra.Command, args []string) error { return s.get(command, args[0], flags) },
	}
	command.Flags().StringVar(&flags.field, "field", "",
		"print only this field, such as db.password or hosts.0 (elements of arrays are numbered from 0)")
	command.Flags().BoolVar(&flags.raw, "raw", false, "print a string without quotes")
	command.Flags().Uint64Var(&flags.version, "version", 0, "read this version instead of the newest")
	s.key.addFlags(command)
	return command
}

// get implements getCommand.
func (s *session) get(command *cobra.Command, where string, flags getFlags) error {
	if err := checkVersionFlag(command, "version", flags.version); err != nil {
		return err
	}
	// With --output json, the value is always JSON, so --raw would have no effect.
	if flags.raw && s.output == formatJSON {
		return &usageError{errors.New("--raw and --output json cannot be combined")}
	}
	_, entry, err := s.readEntry(command.Context(), where, flags.version)
	if err != nil {
		return err
	}
	// Look up the field even if the flag is given with an empty text. Otherwise, a script with an unset variable would
	// print the whole value.
	if command.Flags().Changed("field") {
		value, err := interchange.Parse(entry.Value)
		if err != nil {
			return fmt.Errorf("cannot read the fields of %s: %w", where, err)
		}
		if value, err = value.Field(flags.field); err != nil {
			return &exitError{err, exitNotFound}
		}
		entry.Value = value.JSON()
	}
	return s.showValue(entry, flags.raw)
}

// readEntry reads a version of an entry, where version 0 means the newest. It also returns the parsed address of the
// entry.
func (s *session) readEntry(ctx context.Context, where string, version uint64) (address, *client.Entry, error) {
	server, at, err := s.openEntry(ctx, where)
	if err != nil {
		return at, nil, err
	}
	// Obtain the key last, so that a mistake in the address or a missing login is reported before the user types the
	// key.
	if server, err = s.keyed(ctx, server, at.box, false); err != nil {
		return at, nil, err
	}
	entry, err := server.ReadEntry(ctx, at.box, at.key, &client.ReadOptions{Version: version})
	return at, entry, err
}

// showValue prints a value as indented JSON or as raw text. With --output json, it prints the value together with its
// version and time.
func (s *session) showValue(entry *client.Entry, raw bool) error {
	if s.output == formatJSON {
		return s.showJSON(struct {
			Version    uint64          `json:"version"`
			ModifiedAt time.Time       `json:"modifiedAt"`
			Value      json.RawMessage `json:"value"`
		}{entry.Version, entry.ModifiedAt, entry.Value})
	}
	// Indentation does not change values: strings and numbers keep their spelling.
	if !raw {
		text, err := interchange.Indented(entry.Value)
		if err != nil {
			return err
		}
		return s.print(string(text))
	}
	value, err := interchange.Parse(entry.Value)
	if err != nil {
		return err
	}
	// A string with half of a surrogate pair cannot be printed as UTF-8 text. A replacement character would silently
	// change the secret.
	if err := value.CheckText(); err != nil {
		return err
	}
	text := value.Plain()
	// Without a line end, the next shell prompt would appear on the same line of the terminal.
	if isTerminal(s.out) {
		text += "\n"
	}
	return s.print(text)
}

// checkVersionFlag rejects a flag with the value 0, because 0 in a request means that no version is given. Versions
// count from 1.
func checkVersionFlag(command *cobra.Command, name string, version uint64) error {
	if command.Flags().Changed(name) && version == 0 {
		return &usageError{fmt.Errorf("--%s must be 1 or more", name)}
	}
	return nil
}
