package terminal

import (
	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
)

func restoreCommand(s *session) *cobra.Command {
	var version uint64
	var options client.RestoreOptions
	command := &cobra.Command{
		Use:   "restore BOX/KEY --version N",
		Short: "Make an old version of an entry the newest, or bring a deleted entry back",
		Long: `Make an old version of an entry the newest, or bring a deleted entry back. The value stays encrypted under the key that it
was written with, so that no encryption key is needed.`,
		Example: `  lockbox history prod/app
  lockbox restore prod/app --version 3`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: first(s.completeAddresses()),
		RunE: func(command *cobra.Command, args []string) error {
			for name, given := range map[string]uint64{"version": version, "if-version": options.IfMatch} {
				if err := versionFlag(command, name, given); err != nil {
					return err
				}
			}
			at, err := parseAddress(args[0])
			if err != nil {
				return err
			}
			server, err := s.open(command.Context())
			if err != nil {
				return err
			}
			written, err := server.RestoreEntry(command.Context(), at.box, at.key, version, &options)
			if err != nil {
				return err
			}
			if s.output == formJSON {
				return s.showJSON(map[string]uint64{"version": written.Version})
			}
			s.say("%s is at version %d, which is version %d once more.", at, written.Version, version)
			return nil
		},
	}
	command.Flags().Uint64Var(&version, "version", 0, "the version to bring back")
	command.Flags().Uint64Var(&options.IfMatch, "if-version", 0, "restore only if this is the newest version")
	_ = command.MarkFlagRequired("version")
	return command
}
