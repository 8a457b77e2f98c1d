package terminal

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
)

// boxAdoptCommand makes a keyring for a box that has none. If the box has entries, the command needs the encryption key
// that the members have used so far.
func boxAdoptCommand(s *session) *cobra.Command {
	var yes bool
	command := &cobra.Command{
		Use:   "adopt BOX",
		Short: "Make a keyring for a box that has none",
		Long: `Make a keyring for a box whose members share a generated key (lbk1_…) by hand. That key becomes the
first key of the keyring. A new key replaces it at once, so members can write only with the key of the keyring. Older
versions stay readable, also with the old key. Afterwards, give every member the new key with lockbox box grant, and
re-encrypt the entries with lockbox box rekey BOX --rewrite.

The old key comes from the flags, the environment or the profile; otherwise the command asks for it. An empty box
needs no old key. After an interruption, run the command again.`,
		Example: "  lockbox box adopt prod\n  lockbox box adopt prod --encryption-key-file old-key --yes",
		Args:    cobra.ExactArgs(1),
		RunE: s.run(func(ctx context.Context, server *client.Client, args []string) error {
			return s.adoptBox(ctx, server, strings.ToLower(args[0]), yes)
		}),
		ValidArgsFunction: completeFirst(s.completeBoxes()),
	}
	addYesFlag(command, &yes)
	s.key.addFlags(command)
	return command
}

// adoptBox implements boxAdoptCommand.
func (s *session) adoptBox(ctx context.Context, server *client.Client, box string, yes bool) error {
	holder, err := s.requireHolder(ctx, server)
	if err != nil {
		return err
	}
	// If this machine remembers a keyring that the server no longer has, CurrentKey returns an error. In this case, the
	// box must not be adopted. The error names the command to use instead.
	if _, err := holder.CurrentKey(ctx, server, box); err != nil {
		return err
	}
	entries, err := server.ListEntries(ctx, box, "")
	if err != nil {
		return err
	}
	described, err := server.DescribeBox(ctx, box)
	if err != nil {
		return err
	}
	if len(entries) == 0 && described.Keyring == nil {
		if _, err := holder.CreateKeyring(ctx, server, box); err != nil {
			return err
		}
		s.report("Made a keyring for %s. To give the other members the key, run: lockbox box grant %[1]s USER", box)
		return nil
	}
	err = confirm(ctx, yes, "From now on, only members with a key from the keyring can write to %s. Continue?", box)
	if err != nil {
		return err
	}
	key, err := s.encryptionKey(ctx, false)
	if err != nil {
		return err
	}
	if err := holder.Adopt(ctx, server, box, key); err != nil {
		return err
	}
	s.report("Made a keyring for %s. To give the other members the key, run: lockbox box grant %[1]s USER", box)
	return nil
}

// boxRepairCommand restores the keyring of a box on the server from the keyring that this machine remembers. Use it
// after a database restore, which can replace the keyring of a box with an older one.
func boxRepairCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "repair BOX",
		Short: "Put back the newest keyring of a box after a database restore",
		Long: `Write the newest keyring that this machine knows back to the server, with a new key, after the
database was restored from an older backup. Run the command on the machine that used the box last. Members who were
removed since the backup do not get the key; check the members with lockbox box keyring BOX.`,
		Example: "  lockbox box repair prod",
		Args:    cobra.ExactArgs(1),
		RunE: s.run(func(ctx context.Context, server *client.Client, args []string) error {
			holder, err := s.requireHolder(ctx, server)
			if err != nil {
				return err
			}
			dropped, err := holder.Repair(ctx, server, strings.ToLower(args[0]))
			if err != nil {
				return err
			}
			s.reportDropped(args[0], dropped)
			s.report("Repaired the keyring of %s. "+
				"To see which members do not have the key, run: lockbox box keyring %[1]s", args[0])
			return nil
		}),
		ValidArgsFunction: completeFirst(s.completeBoxes()),
	}
}

// boxResetCommand replaces a keyring that no member can open. Values that are encrypted under the lost key stay
// unreadable, so the command asks for confirmation.
func boxResetCommand(s *session) *cobra.Command {
	var yes bool
	command := &cobra.Command{
		Use:   "reset BOX",
		Short: "Start a new keyring when no member has the key any more",
		Long: `Start a new keyring with a new key when no member and no recovery identity has the old key any more.
The values under the lost key stay lost: write them again. Members get the error keyring_not_continued until they run
lockbox box forget. Only the owner of the box and admins may do this.`,
		Example: "  lockbox box reset prod",
		Args:    cobra.ExactArgs(1),
		RunE: s.run(func(ctx context.Context, server *client.Client, args []string) error {
			holder, err := s.requireHolder(ctx, server)
			if err != nil {
				return err
			}
			err = confirm(ctx, yes, "Values that only the old keys of %s can decrypt are permanently lost. "+
				"Start a new keyring?", args[0])
			if err != nil {
				return err
			}
			anchor, err := holder.Reset(ctx, server, strings.ToLower(args[0]))
			if err != nil {
				return err
			}
			s.report("Started a new keyring for %s. Ask the other members to run lockbox box forget %[1]s. "+
				"Then, to give them the key, run lockbox box grant %[1]s USER.", args[0])
			if s.output == formatJSON {
				return s.showJSON(map[string]string{"anchor": anchor.String()})
			}
			return nil
		}),
		ValidArgsFunction: completeFirst(s.completeBoxes()),
	}
	addYesFlag(command, &yes)
	return command
}
