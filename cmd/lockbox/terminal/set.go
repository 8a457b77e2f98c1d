package terminal

import (
	"context"
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
)

// setCommand writes an entry (POST /boxes/{box}/entries). It needs the permission createEntry and the encryption key.
// If the condition of --if-version or --create-only is not met, nothing is written and the exit code is exitConflict.
// With --output json it prints {"version":N,"encryptionKeyChanged":B}. The server refuses a null value (exitUsage).
func setCommand(s *session) *cobra.Command {
	var source valueFlags
	var field string
	var condition client.WriteOptions
	command := &cobra.Command{
		Use:        "set BOX/KEY [VALUE|@FILE]",
		SuggestFor: []string{"put", "write"},
		Short:      "Write an entry, as a new version",
		Long: `Write an entry, as a new version. An argument is stored as a string. The content of a file or of
standard input is stored as JSON if it is valid JSON, and as a string otherwise. From a string of one line, the
command removes the line end. Without a value, the command asks for the value and does not show it.

--field changes one field of an object; the other fields stay the same. If text looks like an assignment, such as
db.password=new, the command asks before the text replaces an object or array. With --string, it does not ask.

Other users of the machine can see arguments, and shells store arguments in their history. Pass secrets with @FILE,
--stdin or --generate, or type them when the command asks. For a value that begins with @, write @@.

--generate stores random letters and digits and prints them only with --show.`,
		Example: `  lockbox set prod/greeting hello
  lockbox set prod/payments/stripe @key.json
  pass show db | lockbox set prod/db/password --stdin
  lockbox set prod/session-key --generate 43
  lockbox set prod/app --field db.password --stdin < new-password
  lockbox set prod/app @app.json --if-version 7      # only if version 7 is still the newest`,
		Args:              cobra.RangeArgs(1, 2),
		Annotations:       map[string]string{emptyArgument: "1"}, // the value may be the empty string
		ValidArgsFunction: completeAddressThenFile(s),
		RunE: func(command *cobra.Command, args []string) error {
			return s.set(command, args, source, field, condition)
		},
	}
	source.addFlags(command)
	command.Flags().StringVar(&field, "field", "",
		"write only this field of an object, such as db.password; requires permission to read the entry")
	command.Flags().Uint64Var(&condition.IfMatch, "if-version", 0, "write only if the newest version has this number")
	command.Flags().BoolVar(&condition.IfNoneMatch, "create-only", false, "write only if the entry does not exist")
	// --if-version requires that the entry exists. --create-only requires that it does not exist.
	command.MarkFlagsMutuallyExclusive("if-version", "create-only")
	s.key.addFlags(command)
	return command
}

// set implements setCommand. args contains the address and, optionally, the value.
func (s *session) set(command *cobra.Command, args []string, source valueFlags, field string,
	condition client.WriteOptions) error {
	if err := checkVersionFlag(command, "if-version", condition.IfMatch); err != nil {
		return err
	}
	ctx := command.Context()
	server, at, err := s.openEntry(ctx, args[0])
	if err != nil {
		return err
	}
	// Read the value only after openEntry has found a token, because the user may have to type the value.
	value, err := source.value(command, s, args[1:])
	if err != nil {
		return err
	}
	if server, err = s.keyed(ctx, server, at.box, true); err != nil {
		return err
	}
	check := !source.asString && source.generate == 0
	switch {
	case field != "":
		value, err = s.withField(ctx, server, at, field, value, check, &condition)
	case check:
		err = s.checkReplaced(ctx, server, at, value, &condition)
	}
	if err != nil {
		return err
	}
	written, err := s.writeEntry(ctx, server, at, value.JSON(), condition)
	if err != nil || source.show {
		return err // with --show, print only the generated value
	}
	return s.showWritten(at, written)
}

// writeEntry encrypts and writes a value, and returns the new version. The client must come from the method keyed. If
// the new version and the previous version are encrypted under different keys, writeEntry prints a warning, because
// users who have only the old key cannot read the new version. In a box with a keyring, it prints no warning, because
// every reader has both keys.
func (s *session) writeEntry(ctx context.Context, server *client.Client, at address, value json.RawMessage,
	condition client.WriteOptions) (client.Written, error) {
	written, err := server.WriteEntry(ctx, at.box, at.key, value, &condition)
	if err == nil && written.EncryptionKeyChanged && !s.defaultKey.IsZero() {
		s.warn("%s is now encrypted under another key than its previous version; "+
			"users who have only the old key cannot read the new version", at)
	}
	return written, err
}

// showWritten prints the result of a write: as JSON for programs, or as a notice on a terminal.
func (s *session) showWritten(at address, written client.Written) error {
	// Print both fields even if they are zero, so that scripts can rely on them.
	if s.output == formatJSON {
		return s.showJSON(struct {
			Version              uint64 `json:"version"`
			EncryptionKeyChanged bool   `json:"encryptionKeyChanged"`
		}{written.Version, written.EncryptionKeyChanged})
	}
	s.report("Stored %s, version %d.", at, written.Version)
	return nil
}
