package terminal

import (
	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
)

// restoreCommand restores a version (POST /boxes/{box}/entries/{key}/restore). It needs the permissions readEntry and
// createEntry. It needs no encryption key, because the server copies the encrypted value. In a box with a keyring, the
// version may be encrypted under an earlier key. In this case, the client encrypts the value again, so the command
// needs an identity. With --output json it prints {"version":N}.
func restoreCommand(s *session) *cobra.Command {
	var version uint64
	var options client.RestoreOptions
	command := &cobra.Command{
		Use:   "restore BOX/KEY --version N",
		Short: "Restore an old version of an entry, or a deleted entry",
		Long: `Restore an old version of an entry, or a deleted entry. The old version becomes the newest, under a
new version number. It stays encrypted under the key with which it was written, so the command needs no encryption
key. In a box with a keyring, a version under an earlier key is encrypted again under the current key. This needs
your identity.`,
		Example: `  lockbox history prod/app
  lockbox restore prod/app --version 3`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeFirst(s.completeAddresses()),
		RunE: func(command *cobra.Command, args []string) error {
			if err := checkVersionFlag(command, "version", version); err != nil {
				return err
			}
			if err := checkVersionFlag(command, "if-version", options.IfMatch); err != nil {
				return err
			}
			server, at, err := s.openEntry(command.Context(), args[0])
			if err != nil {
				return err
			}
			// In a box with a keyring, a version may be encrypted under an earlier key. The client then decrypts the
			// version and encrypts it under the current key.
			holder, err := s.holder(command.Context(), server)
			if err != nil {
				return err
			}
			if holder != nil {
				server = server.WithIdentity(holder)
			}
			written, err := server.RestoreEntry(command.Context(), at.box, at.key, version, &options)
			if err != nil {
				return err
			}
			if s.output == formatJSON {
				return s.showJSON(map[string]uint64{"version": written.Version})
			}
			s.report("Restored %s: version %d is a copy of version %d.", at, written.Version, version)
			return nil
		},
	}
	command.Flags().Uint64Var(&version, "version", 0, "version to restore")
	command.Flags().Uint64Var(&options.IfMatch, "if-version", 0, "restore only if the newest version has this number")
	// The flag is required, because a default could restore an unintended version.
	_ = command.MarkFlagRequired("version")
	return command
}
