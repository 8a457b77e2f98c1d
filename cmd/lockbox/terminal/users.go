package terminal

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
)

// usersCommand is the parent of the commands for accounts. The role of a user (user or admin) determines what the user
// may do with users and boxes. The group of a user (viewer, manager or owner) determines what the user may do with
// droplets and accounts.
func usersCommand(s *session) *cobra.Command {
	command := &cobra.Command{
		Use:   "users",
		Short: "Manage user accounts, over HTTP",
		Long: `Manage your own account or, as an admin, the accounts of people and programs. These commands use HTTP.
An operator who cannot sign in uses lockbox user instead, which works directly on the database.`,
		Example: "  lockbox users invite anna\n  lockbox users list",
	}
	command.AddCommand(
		usersListCommand(s),
		usersShowCommand(s),
		usersInviteCommand(s),
		usersInvitationsCommand(s),
		usersUninviteCommand(s),
		usersCreateCommand(s),
		usersAddCommand(s),
		usersSetupCommand(s),
		usersUpdateCommand(s),
		usersPasswdCommand(s),
		usersRevokeCommand(s),
		usersDeleteCommand(s),
		totpCommand(s),
	)
	return command
}

// usersListCommand lists the names of all users (GET /users). Only admins may use it. With --groups, it also lists the
// groups of the users (GET /api/v1/user/list). Only the owner may use --groups. With --output json, it prints an array
// of strings. With --output json and --groups, it prints an array of objects.
func usersListCommand(s *session) *cobra.Command {
	var groups bool
	command := &cobra.Command{
		Use:   "list",
		Short: "List all users, one per line (admins)",
		Long: `List the names of all users, one per line. Only admins may do this. --groups also shows the groups and
creation times of the users; only the owner may use this flag.`,
		Example: "  lockbox users list\n  lockbox users list --groups",
		Args:    cobra.NoArgs,
		RunE: s.run(func(ctx context.Context, server *client.Client, _ []string) error {
			// Two APIs list users. Only the list of the accounts API contains groups, and only the owner may read that
			// list.
			if groups {
				accounts, err := server.Accounts().ListUsers(ctx)
				if err != nil {
					return err
				}
				return s.showAccounts(accounts)
			}
			names, err := server.ListUsers(ctx)
			if err != nil {
				return err
			}
			return s.showList(names)
		}),
	}
	command.Flags().BoolVar(&groups, "groups", false, "show groups and creation times, oldest user first")
	return command
}

// showAccounts prints accounts in the order of the response, oldest account first.
func (s *session) showAccounts(accounts []client.Account) error {
	return s.show(accounts, []string{"USER", "GROUP", "CREATED"}, func(add func(...string)) {
		for _, account := range accounts {
			add(account.Username, cmp.Or(account.Group, "-"), formatTime(account.Created))
		}
	})
}

// userOrSelf returns the user name in the first argument. Without an argument it asks the server for the name of the
// caller, because a token does not contain the name.
func userOrSelf(ctx context.Context, server *client.Client, args []string) (string, error) {
	if len(args) > 0 {
		return args[0], nil
	}
	// Do not use the name in the profile, because a token from the environment belongs to no profile.
	who, err := server.WhoAmI(ctx)
	if err != nil {
		return "", err
	}
	return who.Username, nil
}

// usersUpdateCommand changes a user (PUT /users/{username}). The command changes only the properties whose flags are
// given. A transfer of the ownership needs a confirmation, because the former owner cannot undo it. The server rejects
// an unknown role or group (exitUsage), and a change that would leave the server without an owner (exitConflict).
func usersUpdateCommand(s *session) *cobra.Command {
	var role, group string
	var active, yes bool
	command := &cobra.Command{
		Use:   "update USER",
		Short: "Change a user's role or group, or deactivate the user",
		Long: `Change a user's role (as an admin) or group (as the owner), or deactivate the user. Deactivating a
user also revokes its sessions and API keys. --group owner transfers the ownership of the server: the command asks
for confirmation, and you stay an admin and a manager.`,
		Example: `  lockbox users update anna --role admin
  lockbox users update anna --active=false
  lockbox users update anna --group manager`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeFirst(s.completeUsers()),
	}
	addRoleFlag(command, &role, "user or admin")
	addGroupFlag(command, &group, "viewer, manager, owner, or none", client.GroupNone)
	command.Flags().BoolVar(&active, "active", true, "whether the user may sign in")
	addYesFlag(command, &yes)
	command.RunE = s.run(func(ctx context.Context, server *client.Client, args []string) error {
		change := client.UserChange{Role: role, Group: group}
		if command.Flags().Changed("active") {
			change.IsActive = &active
		}
		// An empty change would succeed on the server and hide a mistake in a script.
		if role == "" && group == "" && change.IsActive == nil {
			return &usageError{errors.New("nothing to change: use --role, --group or --active")}
		}
		// The server ignores the case of groups, so the confirmation must not depend on the case.
		if strings.EqualFold(group, client.GroupOwner) {
			if err := confirm(ctx, yes, "Transfer the ownership of the server to %s?", args[0]); err != nil {
				return err
			}
			// Send the canonical spelling, even if the user typed another one.
			change.Group = client.GroupOwner
		}
		return server.UpdateUser(ctx, args[0], change)
	})
	return command
}

// addRoleFlag adds the flag --role. The server validates the role.
func addRoleFlag(command *cobra.Command, role *string, usage string) {
	command.Flags().StringVar(role, "role", "", usage)
	_ = command.RegisterFlagCompletionFunc("role",
		cobra.FixedCompletions([]string{client.RoleUser, client.RoleAdmin}, cobra.ShellCompDirectiveNoFileComp))
}

// addGroupFlag adds the flag --group. Shell completion offers the three groups, followed by the words in the argument
// more.
func addGroupFlag(command *cobra.Command, group *string, usage string, more ...string) {
	command.Flags().StringVar(group, "group", "", usage)
	_ = command.RegisterFlagCompletionFunc("group",
		cobra.FixedCompletions(append([]string{client.GroupViewer, client.GroupManager, client.GroupOwner}, more...),
			cobra.ShellCompDirectiveNoFileComp))
}

// usersRevokeCommand revokes all sessions of a user (DELETE /api/v1/user/auth/revoke/{user}). If the user is the
// caller, this includes the current session.
func usersRevokeCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "revoke [USER]",
		Short: "Revoke all your sessions, or those of another user (owner)",
		Long: `Revoke all your sessions. With USER, revoke all sessions of that user; only the owner may do this. API
keys stay valid: revoke them with lockbox api-keys delete.`,
		Example: "  lockbox users revoke anna\n  lockbox users revoke",
		Args:    cobra.MaximumNArgs(1),
		RunE: s.run(func(ctx context.Context, server *client.Client, args []string) error {
			name, err := userOrSelf(ctx, server, args)
			if err != nil {
				return err
			}
			return server.Accounts().RevokeSessions(ctx, name)
		}),
		ValidArgsFunction: completeFirst(s.completeUsers()),
	}
}

// usersDeleteCommand deletes a user (DELETE /users/{username}). The server refuses to delete its owner and users who
// own boxes; the exit code is then exitConflict. The entries that the user has written are not deleted.
func usersDeleteCommand(s *session) *cobra.Command {
	var yes bool
	command := &cobra.Command{
		Use:   "delete USER",
		Short: "Delete a user permanently (admins)",
		Long: `Delete a user with its sessions and API keys. This cannot be undone. A user who owns boxes cannot be
deleted: transfer the boxes first, with lockbox box transfer. The command asks for confirmation; scripts must use
--yes.`,
		Example: "  lockbox users delete anna\n  lockbox users delete anna --yes",
		Args:    cobra.ExactArgs(1),
		RunE: s.run(func(ctx context.Context, server *client.Client, args []string) error {
			// The question contains the name as the user typed it. The letter case of the stored name may differ,
			// because the server ignores the case.
			if err := confirm(ctx, yes, "Permanently delete user %s?", args[0]); err != nil {
				return err
			}
			return server.DeleteUser(ctx, args[0])
		}),
		ValidArgsFunction: completeFirst(s.completeUsers()),
	}
	addYesFlag(command, &yes)
	return command
}
