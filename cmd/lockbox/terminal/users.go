package terminal

import (
	"cmp"
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
)

func usersCommand(s *session) *cobra.Command {
	command := &cobra.Command{
		Use:   "users",
		Short: "Look after people and programs, over HTTP",
		Long: `Look after people and programs, over HTTP, as an admin or about yourself. Whoever runs the server and cannot sign in has
lockbox user, which works straight on the database.`,
	}
	command.AddCommand(usersListCommand(s), usersShowCommand(s), usersCreateCommand(s), usersAddCommand(s),
		usersSetupCommand(s),
		usersUpdateCommand(s), usersPasswdCommand(s), usersRevokeCommand(s), usersDeleteCommand(s), totpCommand(s))
	return command
}

func usersListCommand(s *session) *cobra.Command {
	var groups bool
	command := &cobra.Command{
		Use:   "list",
		Short: "List all users, one a line; for admins",
		Long: "List the names of all users, for admins; with --groups, for the owner, also their groups and since " +
			"when they are there.",
		Example: "  lockbox users list\n  lockbox users list --groups",
		Args:    cobra.NoArgs,
		RunE: s.run(func(ctx context.Context, server *client.Client, _ []string) error {
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
	command.Flags().BoolVar(&groups, "groups", false, "show the groups too, oldest user first")
	return command
}

func (s *session) showAccounts(accounts []client.Account) error {
	return s.show(accounts, []string{"USER", "GROUP", "CREATED"}, func(add func(...string)) {
		for _, account := range accounts {
			add(account.Username, cmp.Or(account.Group, "-"), when(account.Created))
		}
	})
}

// userShown is a user as the server answers it, with the ids of its API keys.
type userShown struct {
	Username    string              `json:"username"`
	Role        string              `json:"role"`
	IsActive    bool                `json:"isActive"`
	CreatedAt   time.Time           `json:"createdAt"`
	UpdatedAt   time.Time           `json:"updatedAt"`
	APIKeys     []string            `json:"apiKeys"`
	Permissions []client.Permission `json:"permissions"`
}

func usersShowCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:     "show [USER]",
		Short:   "Show a user, or yourself",
		Example: "  lockbox users show anna\n  lockbox users show -o json",
		Args:    cobra.MaximumNArgs(1),
		RunE: s.run(func(ctx context.Context, server *client.Client, args []string) error {
			name, err := oneself(ctx, server, args)
			if err != nil {
				return err
			}
			user, err := server.DescribeUser(ctx, name)
			if err != nil {
				return err
			}
			shown := userShown{user.Username, user.Role, user.IsActive, user.CreatedAt, user.UpdatedAt, []string{},
				user.Permissions}
			for _, id := range user.APIKeys {
				shown.APIKeys = append(shown.APIKeys, id.Reveal())
			}
			return s.show(shown, nil, func(add func(...string)) {
				add("username", user.Username)
				add("role", user.Role)
				add("state", state(user.IsActive))
				add("created", when(user.CreatedAt))
				add("updated", when(user.UpdatedAt))
				add("api keys", strconv.Itoa(len(user.APIKeys))) // a server may be set to show them whole
				add("permissions", cmp.Or(strings.Join(texts(user.Permissions), ", "), "-"))
			})
		}),
		ValidArgsFunction: first(s.completeUsers()),
	}
}

// oneself returns the user that an argument names, or else who is signed in.
func oneself(ctx context.Context, server *client.Client, args []string) (string, error) {
	if len(args) > 0 {
		return args[0], nil
	}
	who, err := server.WhoAmI(ctx)
	if err != nil {
		return "", err
	}
	return who.Username, nil
}

func usersUpdateCommand(s *session) *cobra.Command {
	var role, group string
	var active, yes bool
	command := &cobra.Command{
		Use:   "update USER",
		Short: "Change a user's role or group, or whether it may sign in",
		Long: `Change a user's role (for admins), its group (for the owner), or whether it may sign in. Whoever may not sign in has lost
its sessions and API keys too. --group owner hands the system over: it asks first, and you stay an admin and a manager.`,
		Example: `  lockbox users update anna --role admin
  lockbox users update anna --active=false
  lockbox users update anna --group manager`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: first(s.completeUsers()),
	}
	roleFlag(command, &role, "user or admin")
	groupFlag(command, &group, "viewer, manager, owner, or none", client.GroupNone)
	command.Flags().BoolVar(&active, "active", true, "whether the user may sign in")
	yesFlag(command, &yes)
	command.RunE = s.run(func(ctx context.Context, server *client.Client, args []string) error {
		change := client.UserChange{Role: role, Group: group}
		if command.Flags().Changed("active") {
			change.IsActive = &active
		}
		if role == "" && group == "" && change.IsActive == nil {
			return &usageError{errors.New("nothing to change: use --role, --group or --active")}
		}
		if strings.EqualFold(group, client.GroupOwner) {
			if err := sure(ctx, yes, "Make %s the owner of the system in your place?", args[0]); err != nil {
				return err
			}
			change.Group = client.GroupOwner
		}
		return server.UpdateUser(ctx, args[0], change)
	})
	return command
}

func roleFlag(command *cobra.Command, role *string, usage string) {
	command.Flags().StringVar(role, "role", "", usage)
	_ = command.RegisterFlagCompletionFunc("role",
		cobra.FixedCompletions([]string{client.RoleUser, client.RoleAdmin}, cobra.ShellCompDirectiveNoFileComp))
}

func groupFlag(command *cobra.Command, group *string, usage string, more ...string) {
	command.Flags().StringVar(group, "group", "", usage)
	_ = command.RegisterFlagCompletionFunc("group",
		cobra.FixedCompletions(append([]string{client.GroupViewer, client.GroupManager, client.GroupOwner}, more...),
			cobra.ShellCompDirectiveNoFileComp))
}

func usersRevokeCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:     "revoke [USER]",
		Short:   "End all sessions of a user (for the owner), or your own; API keys stay",
		Example: "  lockbox users revoke anna\n  lockbox users revoke",
		Args:    cobra.MaximumNArgs(1),
		RunE: s.run(func(ctx context.Context, server *client.Client, args []string) error {
			name, err := oneself(ctx, server, args)
			if err != nil {
				return err
			}
			return server.Accounts().RevokeSessions(ctx, name)
		}),
		ValidArgsFunction: first(s.completeUsers()),
	}
}

func usersDeleteCommand(s *session) *cobra.Command {
	var yes bool
	command := &cobra.Command{
		Use:   "delete USER",
		Short: "Delete a user, for ever",
		Long: `Delete a user with its sessions and API keys, for ever. Who owns boxes cannot be deleted: hand them over first, with
lockbox box transfer. It asks first; where nobody can be asked, it wants --yes.`,
		Example: "  lockbox users delete anna\n  lockbox users delete anna --yes",
		Args:    cobra.ExactArgs(1),
		RunE: s.run(func(ctx context.Context, server *client.Client, args []string) error {
			if err := sure(ctx, yes, "Delete the user %s, for ever?", args[0]); err != nil {
				return err
			}
			return server.DeleteUser(ctx, args[0])
		}),
		ValidArgsFunction: first(s.completeUsers()),
	}
	yesFlag(command, &yes)
	return command
}
