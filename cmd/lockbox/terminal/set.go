package terminal

import (
	"context"
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
)

func setCommand(s *session) *cobra.Command {
	var from valueFlags
	var condition client.WriteOptions
	command := &cobra.Command{
		Use:        "set BOX/KEY [VALUE|@FILE]",
		SuggestFor: []string{"put", "write"},
		Short:      "Write an entry, as a new version of it",
		Long: `Write an entry, as a new version of it. An argument is a string; a file and standard input are JSON where they parse, and
strings otherwise. Of a string of one line the end of the line is left out. Without a value, it is asked for.

Other users of the machine can see arguments, and shells remember them: give what is secret as @FILE, with --stdin or
--generate, or type it when asked. An argument that begins with @ is written with two.

--generate makes letters and digits; it shows them with --show alone.`,
		Example: `  lockbox set prod/greeting hello
  lockbox set prod/payments/stripe @key.json
  pass show db | lockbox set prod/db/password --stdin
  lockbox set prod/session-key --generate 43
  lockbox set prod/app @app.json --if-version 7      # only if nobody wrote it since`,
		Args:              cobra.RangeArgs(1, 2),
		ValidArgsFunction: setCompletion(s),
		RunE: func(command *cobra.Command, args []string) error {
			if err := versionFlag(command, "if-version", condition.IfMatch); err != nil {
				return err
			}
			at, err := parseAddress(args[0])
			if err != nil {
				return err
			}
			server, err := s.open(command.Context())
			if err != nil {
				return err
			}
			value, err := from.value(command, s, args[1:])
			if err != nil {
				return err
			}
			written, err := s.put(command.Context(), server, at, value, condition)
			if err != nil || from.show {
				return err // what is shown must stand alone
			}
			return s.showWritten(at, written)
		},
	}
	from.flags(command)
	command.Flags().Uint64Var(&condition.IfMatch, "if-version", 0, "write only if this is the newest version")
	command.Flags().BoolVar(&condition.IfNoneMatch, "create-only", false, "write only if there is no such entry")
	command.MarkFlagsMutuallyExclusive("if-version", "create-only")
	s.key.flags(command)
	return command
}

// setCompletion completes the address, and leaves @FILE to the shell.
func setCompletion(s *session) cobra.CompletionFunc {
	addresses := s.completeAddresses()
	return func(command *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveDefault
		}
		return addresses(command, args, begun)
	}
}

// put writes a value under the key of the session, and says when that is another one than the version before was under.
func (s *session) put(ctx context.Context, server *client.Client, at address, value json.RawMessage,
	condition client.WriteOptions) (client.Written, error) {
	if condition.EncryptionKey.IsZero() {
		key, err := s.encryptionKey(ctx, true)
		if err != nil {
			return client.Written{}, err
		}
		condition.EncryptionKey = key
	}
	written, err := server.WriteEntry(ctx, at.box, at.key, value, &condition)
	if err == nil && written.EncryptionKeyChanged {
		s.warn("%s is now encrypted under another key than before: who reads it with the old one no longer can", at)
	}
	return written, err
}

// showWritten tells programs, and people at a terminal, what a write came to.
func (s *session) showWritten(at address, written client.Written) error {
	if s.output == formJSON {
		return s.showJSON(struct {
			Version              uint64 `json:"version"`
			EncryptionKeyChanged bool   `json:"encryptionKeyChanged"`
		}{written.Version, written.EncryptionKeyChanged})
	}
	s.say("%s is at version %d.", at, written.Version)
	return nil
}
