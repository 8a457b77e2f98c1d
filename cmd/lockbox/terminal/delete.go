package terminal

import (
	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
)

func deleteCommand(s *session) *cobra.Command {
	var options client.DeleteOptions
	command := &cobra.Command{
		Use:        "delete BOX/KEY",
		SuggestFor: []string{"rm", "remove"},
		Short:      "Delete an entry, which lockbox restore brings back",
		Long: `Delete an entry. It does not ask: the server keeps the versions for a while, 30 days unless it is set up otherwise, and
lockbox restore brings one of them back.`,
		Example: `  lockbox delete prod/app
  lockbox delete prod/app --if-version 7      # only if nobody wrote it since`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: first(s.completeAddresses()),
		RunE: func(command *cobra.Command, args []string) error {
			if err := versionFlag(command, "if-version", options.IfMatch); err != nil {
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
			if err := server.DeleteEntry(command.Context(), at.box, at.key, &options); err != nil {
				return err
			}
			s.say("%s is deleted. lockbox history %[1]s shows the versions that lockbox restore can bring back.", at)
			return nil
		},
	}
	command.Flags().Uint64Var(&options.IfMatch, "if-version", 0, "delete only if this is the newest version")
	return command
}
