package terminal

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
)

// boxUserCommand is the parent of the commands for the users of a box. A user of a box is also called a member.
func boxUserCommand(s *session) *cobra.Command {
	command := &cobra.Command{
		Use:   "user",
		Short: "Manage the users of a box",
		Long: `Manage the users of a box and their roles. Any user of the box may list them; boxadmins and admins may
add, change and remove them. To set what a user may do with entries, use lockbox box permissions.`,
		Example: "  lockbox box user add prod anna\n  lockbox box user list prod",
	}
	command.AddCommand(
		boxUserListCommand(s),
		boxUserShowCommand(s),
		boxUserAddCommand(s),
		boxUserUpdateCommand(s),
		boxUserRemoveCommand(s),
	)
	return command
}

// showMembers prints the users of a box as a table. The same table is part of lockbox box show.
func (s *session) showMembers(users []client.Member) error {
	return s.show(users, []string{"USER", "ROLE", "STATE"}, func(add func(...string)) {
		for _, user := range users {
			add(user.Username, user.Role, stateText(user.IsActive))
		}
	})
}

// stateText returns the word for the state of an account or a membership. Tables contain this word; JSON contains
// isActive instead.
func stateText(active bool) string {
	if active {
		return "active"
	}
	return "inactive"
}

// boxUserListCommand lists the users of a box (GET /boxes/{box}). With --output json it prints an array of objects
// with the fields username, role and isActive.
func boxUserListCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:     "list BOX",
		Short:   "List the users of a box and their roles",
		Long:    "List the users of a box, with their roles and states. Every user of the box may run this command.",
		Example: "  lockbox box user list prod",
		Args:    cobra.ExactArgs(1),
		RunE: s.run(func(ctx context.Context, server *client.Client, args []string) error {
			// Read the roles from the description of the box. Every user of the box may read this description. The
			// request that lists users returns only names.
			box, err := server.DescribeBox(ctx, args[0])
			if err != nil {
				return err
			}
			return s.showMembers(box.Users)
		}),
		ValidArgsFunction: completeFirst(s.completeBoxes()),
	}
}

// boxUserShowCommand shows a user of a box (GET /boxes/{box}/users/{username}). Users may see themselves. Boxadmins and
// admins may see every user of the box. With --output json it prints an object with the fields username, role, isActive
// and permissions.
func boxUserShowCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "show BOX USER",
		Short: "Show the role and the permissions of a user in a box",
		Long: `Show the role of a user in a box, whether the user is active, and the permissions of the user to the
entries of the box.`,
		Example: "  lockbox box user show prod anna",
		Args:    cobra.ExactArgs(2),
		RunE: s.run(func(ctx context.Context, server *client.Client, args []string) error {
			user, err := server.DescribeBoxUser(ctx, args[0], args[1])
			if err != nil {
				return err
			}
			return s.show(user, nil, func(add func(...string)) {
				add("username", user.Username)
				add("role", user.Role)
				add("state", stateText(user.IsActive))
				add("permissions", cmp.Or(strings.Join(permissionNames(user.Permissions), ", "), "-"))
			})
		}),
		ValidArgsFunction: completeEach(s.completeBoxes(), s.completeMembers()),
	}
}

// boxUserAddCommand adds a user to a box (POST /boxes/{box}/users). The exit code is exitConflict if the user is
// already in the box, and exitNotFound if the user or the box does not exist. The server grants readEntryKeys and
// readEntry to a new member. In a box with a keyring, the command also gives the user the key if it can; see addMember.
// In a box without a keyring, the members must give the user the key in another way.
func boxUserAddCommand(s *session) *cobra.Command {
	var role, fingerprint string
	command := &cobra.Command{
		Use:   "add BOX USER",
		Short: "Add a user to a box, with permission to read",
		Long: `Add a user to a box. The user may list the keys of the entries and, with the encryption key, read the
entries. To grant more permissions, use lockbox box permissions.

If the box has a keyring and you have its key, the command also gives the user the key, as lockbox box grant does. It
shows the fingerprint of the user, and you compare it over another channel. Scripts pass the fingerprint with
--fingerprint.`,
		Example: "  lockbox box user add prod anna\n  lockbox box user add prod boris --role boxadmin",
		Args:    cobra.ExactArgs(2),
		RunE: s.run(func(ctx context.Context, server *client.Client, args []string) error {
			return s.addMember(ctx, server, args[0], args[1], role, fingerprint)
		}),
		ValidArgsFunction: completeEach(s.completeBoxes(), s.completeUsers()),
	}
	addBoxRoleFlag(command, &role, "role in the box: boxuser (default), or boxadmin, who may manage the box")
	addFingerprintFlag(command, &fingerprint)
	return command
}

// addBoxRoleFlag adds --role for a role in a box. The server validates the role.
func addBoxRoleFlag(command *cobra.Command, role *string, usage string) {
	command.Flags().StringVar(role, "role", "", usage)
	_ = command.RegisterFlagCompletionFunc("role",
		cobra.FixedCompletions([]string{client.RoleBoxUser, client.RoleBoxAdmin}, cobra.ShellCompDirectiveNoFileComp))
}

// boxUserUpdateCommand changes the role or state of a user in a box (PUT /boxes/{box}/users/{username}). A flag that is
// not given changes nothing. The default of --active is true, but only an explicit --active activates a user. The
// server refuses to demote or deactivate the owner or the last active boxadmin of a box (exitConflict).
func boxUserUpdateCommand(s *session) *cobra.Command {
	var role string
	var active bool
	command := &cobra.Command{
		Use:   "update BOX USER",
		Short: "Change a user's role in a box, or deactivate the user there",
		Long: `Change a user's role in a box, or deactivate the user there. An inactive user keeps the role and
permissions, but the server responds to that user as if the box did not exist. The owner of a box always stays an
active boxadmin.`,
		Example: "  lockbox box user update prod anna --role boxadmin\n" +
			"  lockbox box user update prod anna --active=false",
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: completeEach(s.completeBoxes(), s.completeMembers()),
	}
	addBoxRoleFlag(command, &role, "boxuser or boxadmin")
	command.Flags().BoolVar(&active, "active", true, "whether the user has access to the box")
	command.RunE = s.run(func(ctx context.Context, server *client.Client, args []string) error {
		change := client.BoxUserChange{Role: role}
		// The value of --active is true even if the flag is absent, so check whether the flag was given.
		if command.Flags().Changed("active") {
			change.IsActive = &active
		}
		// An empty change would succeed on the server and hide a mistake in a script.
		if change == (client.BoxUserChange{}) {
			return &usageError{errors.New("nothing to change: use --role or --active")}
		}
		if err := server.UpdateBoxUser(ctx, args[0], args[1], change); err != nil {
			return err
		}
		if change.IsActive != nil && !*change.IsActive {
			s.warnIfDue(ctx, server, args[0])
		}
		return nil
	})
	return command
}

// boxUserRemoveCommand removes a user from a box (DELETE /boxes/{box}/users/{username}). The owner of the box cannot be
// removed (exitConflict). Entries that the user has written stay in the box. If the box has a keyring and the caller
// has its key, the same request changes the key.
func boxUserRemoveCommand(s *session) *cobra.Command {
	var keepKey bool
	command := &cobra.Command{
		Use:   "remove BOX USER",
		Short: "Remove a user from a box",
		Long: `Remove a user from a box. The user is refused from the next request on. The user may still know values
that the user has already read: change these secrets where necessary.

If the box has a keyring and you have its key, the same request changes the key. Otherwise, the server marks the box
with "key change due".`,
		Example: "  lockbox box user remove prod anna",
		Args:    cobra.ExactArgs(2),
		RunE: s.run(func(ctx context.Context, server *client.Client, args []string) error {
			return s.removeMember(ctx, server, args[0], args[1], keepKey)
		}),
		ValidArgsFunction: completeEach(s.completeBoxes(), s.completeMembers()),
	}
	command.Flags().BoolVar(&keepKey, "keep-key", false,
		"remove the user without changing the key, for example if you cannot open the keyring")
	return command
}
