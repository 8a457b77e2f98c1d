package terminal

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
)

// boxCommand is the parent of the commands for boxes. A box is the unit of sharing: users are members of boxes, and
// permissions apply to all entries of a box.
func boxCommand(s *session) *cobra.Command {
	command := &cobra.Command{
		Use:   "box",
		Short: "Manage boxes and their users",
		Long: `Manage boxes and their users. A box contains entries. The permissions of a user apply to all entries
of the box. The creator of a box is its owner and first boxadmin.`,
		Example: "  lockbox box create prod\n  lockbox box user add prod anna",
	}
	command.AddCommand(
		boxListCommand(s),
		boxCreateCommand(s),
		boxShowCommand(s),
		boxDeleteCommand(s),
		boxTransferCommand(s),
		boxAcceptCommand(s),
		boxDeclineCommand(s),
		boxLeaveCommand(s),
		boxUserCommand(s),
		boxPermissionsCommand(s),
		boxKeyringCommand(s),
		boxGrantCommand(s),
		boxTrustCommand(s),
		boxForgetCommand(s),
		boxRekeyCommand(s),
		boxAdoptCommand(s),
		boxRepairCommand(s),
		boxResetCommand(s),
	)
	return command
}

// boxListCommand lists the names of the boxes of which the caller is an active member (GET /boxes). The names are
// sorted. The command prints one name per line or, with --output json, an array of strings. Even admins see only the
// boxes of which they are members.
func boxListCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List your boxes, one per line",
		Long: `List the boxes that you are an active member of, one per line. To list the entries of a box, use
lockbox list BOX.`,
		Example: "  lockbox box list",
		Args:    cobra.NoArgs,
		RunE: s.run(func(ctx context.Context, server *client.Client, _ []string) error {
			boxes, err := server.ListBoxes(ctx)
			if err != nil {
				return err
			}
			return s.showList(boxes)
		}),
	}
}

// boxCreateCommand creates a box (POST /boxes/{box}). The exit code is exitConflict if the name is in use, and
// exitUsage if the name is invalid. The command prints nothing on standard output.
func boxCreateCommand(s *session) *cobra.Command {
	var noKeyring bool
	var grants []string
	command := &cobra.Command{
		Use:   "create BOX",
		Short: "Create a box and become its owner",
		Long: `Create a box. You become its owner and a boxadmin with all permissions. To give other users access,
use lockbox box user add.

If your identity is unlocked, the box gets a keyring. The keyring contains a new key for the box, which only the
recipients of the keyring can open. Recipients need no encryption key. They are you and the users of --grant. Without
an identity, or with --no-keyring, the members must share an encryption key by hand.`,
		Example: "  lockbox box create prod\n  lockbox box create prod --grant anna",
		Args:    cobra.ExactArgs(1),
		RunE: s.run(func(ctx context.Context, server *client.Client, args []string) error {
			return s.createBox(ctx, server, args[0], noKeyring, grants)
		}),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	command.Flags().BoolVar(&noKeyring, "no-keyring", false,
		"create a box without a keyring: you must give its members an encryption key")
	command.Flags().StringArrayVar(&grants, "grant", nil,
		"also add this user and give the user the key of the box; the flag may be repeated; "+
			"if this machine does not know the user's fingerprint, you must confirm the fingerprint")
	command.MarkFlagsMutuallyExclusive("no-keyring", "grant")
	_ = command.RegisterFlagCompletionFunc("grant", s.completeUsers())
	return command
}

// boxShowCommand shows a box (GET /boxes/{box}). The exit code is exitNotFound if the box does not exist or the caller
// may not see it; the server does not distinguish these two cases. With --output json it prints the server's
// description of the box, including the keys of the entries if the caller may list them.
func boxShowCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "show BOX",
		Short: "Show a box, its users and its number of entries",
		Long: `Show a box, its users and the number of its entries. Without the permission readEntryKeys, you do not
see the entries. With --output json, the command also lists the keys of the entries.`,
		Example: "  lockbox box show prod\n  lockbox box show prod -o json | jq -r '.entries[]'",
		Args:    cobra.ExactArgs(1),
		RunE: s.run(func(ctx context.Context, server *client.Client, args []string) error {
			box, err := server.DescribeBox(ctx, args[0])
			if err != nil {
				return err
			}
			return s.showBox(box)
		}),
		ValidArgsFunction: completeFirst(s.completeBoxes()),
	}
}

// showBox prints the properties of a box, a blank line and the table of its users.
func (s *session) showBox(box *client.Box) error {
	if s.output == formatJSON {
		return s.showJSON(box)
	}
	// The rows have no header, because the first column already names each property.
	err := s.show(box, nil, func(add func(...string)) {
		add("name", box.Name)
		add("id", box.ID)
		add("owner", box.Owner)
		if box.Offer != nil {
			add("offered to", box.Offer.To+" until "+formatTime(box.Offer.ExpiresAt))
		}
		add("created", formatTime(box.CreatedAt))
		add("updated", formatTime(box.UpdatedAt))
		add("entries", entryCount(box))
		if box.Keyring != nil {
			add("keyring", keyringText(box.Keyring))
		}
		// A blank line separates the properties from the table of the users.
		add()
	})
	if err != nil {
		return err
	}
	return s.showMembers(box.Users)
}

// keyringText returns the text of the row "keyring" in the description of a box.
func keyringText(keyring *client.BoxKeyring) string {
	text := "number " + strconv.FormatUint(keyring.Sequence, 10)
	if keyring.KeyChangeDue {
		text += ", key change due"
	}
	return text
}

// entryCount returns the number of entries that the caller may list, as a text. Without the permission readEntryKeys,
// the caller gets an empty list, so an empty list does not mean that the box is empty.
func entryCount(box *client.Box) string {
	if len(box.Entries) == 0 {
		return "none that you may list"
	}
	return strconv.Itoa(len(box.Entries))
}

// boxDeleteCommand deletes a box (DELETE /boxes/{box}). Without --yes, it asks for confirmation. If there is no
// terminal for the question, it deletes nothing and the exit code is exitUsage. Boxadmins and admins may delete a box.
// A deleted box cannot be restored, but a deleted entry can.
func boxDeleteCommand(s *session) *cobra.Command {
	var yes bool
	command := &cobra.Command{
		Use:   "delete BOX",
		Short: "Delete a box and all its entries permanently",
		Long: `Delete a box, all its entries and all their versions. This cannot be undone. The command asks for
confirmation; scripts must use --yes.`,
		Example: "  lockbox box delete old\n  lockbox box delete old --yes",
		Args:    cobra.ExactArgs(1),
		RunE: s.run(func(ctx context.Context, server *client.Client, args []string) error {
			// With --yes, there is no question, so the command does not need the description of the box.
			if !yes {
				// The question names the owner of the box. This helps a user who typed the wrong box name to notice the
				// mistake.
				box, err := server.DescribeBox(ctx, args[0])
				if err != nil {
					return err
				}
				err = confirm(ctx, false, "Permanently delete box %s (owner: %s) and all its entries?", box.Name,
					box.Owner)
				if err != nil {
					return err
				}
			}
			return server.DeleteBox(ctx, args[0])
		}),
		ValidArgsFunction: completeFirst(s.completeBoxes()),
	}
	addYesFlag(command, &yes)
	return command
}

// boxTransferCommand offers the ownership of a box to another user (PUT /boxes/{box}). If the caller is an admin, the
// request changes the owner at once. The exit code is exitConflict if the new owner is not an active user of the box.
// The command does not ask for confirmation, because a mistake is easy to correct: the owner can withdraw an offer, and
// the new owner can transfer the box back.
func boxTransferCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "transfer BOX USER",
		Short: "Offer the ownership of a box to another member",
		Long: `Offer the ownership of a box to another active user of the box. The user has seven days to accept the
offer with lockbox box accept, and then becomes the owner and a boxadmin. The former owner stays in the box as a
boxadmin. If an admin runs the command, the ownership changes at once.`,
		Example: "  lockbox box transfer prod anna",
		Args:    cobra.ExactArgs(2),
		RunE: s.run(func(ctx context.Context, server *client.Client, args []string) error {
			if err := server.TransferBox(ctx, args[0], args[1]); err != nil {
				return err
			}
			box, err := server.DescribeBox(ctx, args[0])
			if err == nil && box.Offer != nil {
				s.report("Offered box %s to %s. To become the owner, the user runs: lockbox box accept %s", box.Name,
					box.Offer.To, box.Name)
			}
			return nil // the transfer or the offer is stored, even if the description failed
		}),
		ValidArgsFunction: completeEach(s.completeBoxes(), s.completeMembers()),
	}
}

// boxAcceptCommand accepts the ownership of a box (POST /boxes/{box}/offer/accept). The exit code is exitNotFound if
// the ownership is not offered to the caller, and exitConflict if the caller owns too many boxes.
func boxAcceptCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:     "accept BOX",
		Short:   "Accept the ownership of a box that was offered to you",
		Long:    "Accept the ownership of a box that its owner offered to you with lockbox box transfer.",
		Example: "  lockbox box accept prod",
		Args:    cobra.ExactArgs(1),
		RunE: s.run(func(ctx context.Context, server *client.Client, args []string) error {
			if err := server.AcceptBox(ctx, args[0]); err != nil {
				return err
			}
			s.report("You are the owner of box %s.", args[0])
			return nil
		}),
		ValidArgsFunction: completeFirst(s.completeBoxes()),
	}
}

// boxDeclineCommand declines or withdraws an offer of ownership (DELETE /boxes/{box}/offer). The exit code is
// exitNotFound if there is no open offer.
func boxDeclineCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:     "decline BOX",
		Aliases: []string{"withdraw"},
		Short:   "Decline the ownership of a box, or withdraw your own offer",
		Long: `Decline the ownership of a box that was offered to you. As the owner of the box, withdraw your offer.
The owner of the box does not change.`,
		Example: "  lockbox box decline prod",
		Args:    cobra.ExactArgs(1),
		RunE: s.run(func(ctx context.Context, server *client.Client, args []string) error {
			return server.EndBoxOffer(ctx, args[0])
		}),
		ValidArgsFunction: completeFirst(s.completeBoxes()),
	}
}

// boxLeaveCommand removes the caller from a box (DELETE /boxes/{box}/users/{username}). Without --yes, it asks for
// confirmation, because only a boxadmin or an admin can add the caller again. The exit code is exitConflict if the
// caller is the owner of the box.
func boxLeaveCommand(s *session) *cobra.Command {
	var yes bool
	command := &cobra.Command{
		Use:   "leave BOX",
		Short: "Leave a box",
		Long: `Leave a box. You lose access to its entries; only a boxadmin or an admin can add you again. The owner of
a box cannot leave it: transfer the box first. The command asks for confirmation; scripts must use --yes.`,
		Example: "  lockbox box leave prod --yes",
		Args:    cobra.ExactArgs(1),
		RunE: s.run(func(ctx context.Context, server *client.Client, args []string) error {
			if err := confirm(ctx, yes, "Leave box %s?", args[0]); err != nil {
				return err
			}
			who, err := server.WhoAmI(ctx)
			if err != nil {
				return err
			}
			return server.RemoveBoxUser(ctx, args[0], who.Username)
		}),
		ValidArgsFunction: completeFirst(s.completeBoxes()),
	}
	addYesFlag(command, &yes)
	return command
}
