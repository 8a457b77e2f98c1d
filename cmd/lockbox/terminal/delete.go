package terminal

import (
	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
)

// deleteCommand deletes an entry (DELETE /boxes/{box}/entries/{key}). The command needs the permission deleteEntry, but
// no encryption key. With --if-version, the exit code is exitConflict if the newest version does not have the given
// number. The server keeps the versions of a deleted entry for LOCKBOX_DELETED_ENTRY_RETENTION and deletes them
// permanently afterwards.
func deleteCommand(s *session) *cobra.Command {
	var options client.DeleteOptions
	command := &cobra.Command{
		Use:        "delete BOX/KEY",
		SuggestFor: []string{"rm", "remove"},
		Short:      "Delete an entry, which lockbox restore can bring back",
		Long: `Delete an entry. The command does not ask for confirmation, because lockbox restore can restore the
entry. For this, the server keeps the versions of a deleted entry for 30 days, unless its operator configures another
time.`,
		Example: `  lockbox delete prod/app
  lockbox delete prod/app --if-version 7      # only if version 7 is still the newest`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeFirst(s.completeAddresses()),
		RunE: func(command *cobra.Command, args []string) error {
			// Check the flag before the profile is read, so that a wrong flag is reported without a profile or a
			// server.
			if err := checkVersionFlag(command, "if-version", options.IfMatch); err != nil {
				return err
			}
			server, at, err := s.openEntry(command.Context(), args[0])
			if err != nil {
				return err
			}
			if err := server.DeleteEntry(command.Context(), at.box, at.key, &options); err != nil {
				return err
			}
			// The command did not ask for confirmation. The notice therefore names the command that lists the versions
			// to restore.
			s.report("Deleted %s. To see the versions that can be restored, run: lockbox history %[1]s", at)
			return nil
		},
	}
	command.Flags().Uint64Var(&options.IfMatch, "if-version", 0, "delete only if the newest version has this number")
	return command
}
