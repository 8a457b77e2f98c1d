package terminal

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
	"github.com/lockbox-go/lockbox/cmd/lockbox/interchange"
	"github.com/lockbox-go/lockbox/cmd/lockbox/prompt"
)

type getFlags struct {
	field   string
	raw     bool
	version uint64
}

func getCommand(s *session) *cobra.Command {
	var flags getFlags
	command := &cobra.Command{
		Use:        "get BOX/KEY",
		SuggestFor: []string{"read", "show"},
		Short:      "Print the value of an entry",
		Long: `Print the value of an entry as JSON, or one field of it. With --raw, a string is printed as it is: without quotes and,
where it does not go to a terminal, without a line end of ours. With --output json, the version and its time come with it.`,
		Example: `  lockbox get prod/app
  lockbox get prod/app --field db.password --raw
  lockbox get prod/app --field hosts.0
  lockbox get prod/app --version 3
  lockbox get prod/tls/key --raw > key.pem`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: first(s.completeAddresses()),
		RunE: func(command *cobra.Command, args []string) error {
			if err := versionFlag(command, "version", flags.version); err != nil {
				return err
			}
			if flags.raw && s.output == formJSON {
				return &usageError{errors.New("--raw and --output json do not go together")}
			}
			entry, err := s.read(command, args[0], flags.version)
			if err != nil {
				return err
			}
			value, err := interchange.Parse(entry.Value)
			asked := command.Flags().Changed("field") // an empty one too: it must not print all
			if err != nil && asked {
				return fmt.Errorf("the fields of %s cannot be read: %w", args[0], err)
			}
			if asked {
				if value, err = value.Field(flags.field); err != nil {
					return &exitError{err, exitNotFound}
				}
				entry.Value = value.JSON()
			}
			return s.showValue(entry, flags.raw)
		},
	}
	command.Flags().StringVar(&flags.field, "field", "",
		"print what is there alone: names joined with dots, numbers in arrays")
	command.Flags().BoolVar(&flags.raw, "raw", false, "print a string without quotes")
	command.Flags().Uint64Var(&flags.version, "version", 0, "print this version instead of the newest")
	s.key.flags(command)
	return command
}

// read reads an entry by its address; version 0 is the newest.
func (s *session) read(command *cobra.Command, where string, version uint64) (*client.Entry, error) {
	at, err := parseAddress(where)
	if err != nil {
		return nil, err
	}
	server, err := s.open(command.Context())
	if err != nil {
		return nil, err
	}
	key, err := s.encryptionKey(command.Context(), false)
	if err != nil {
		return nil, err
	}
	return server.ReadEntry(command.Context(), at.box, at.key,
		&client.ReadOptions{Version: version, EncryptionKey: key})
}

func (s *session) showValue(entry *client.Entry, raw bool) error {
	if s.output == formJSON {
		return s.showJSON(struct {
			Version    uint64          `json:"version"`
			ModifiedAt time.Time       `json:"modifiedAt"`
			Value      json.RawMessage `json:"value"`
		}{entry.Version, entry.ModifiedAt, entry.Value})
	}
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
	if err := value.Whole(); err != nil {
		return err
	}
	text := value.Plain()
	if prompt.IsTerminal(s.out) {
		text += "\n"
	}
	return s.print(text)
}

// versionFlag refuses 0, which would mean that nobody asked.
func versionFlag(command *cobra.Command, name string, version uint64) error {
	if command.Flags().Changed(name) && version == 0 {
		return &usageError{fmt.Errorf("--%s counts from 1", name)}
	}
	return nil
}
