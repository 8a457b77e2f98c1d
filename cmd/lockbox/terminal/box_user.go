package terminal

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
)

func boxUserCommand(s *session) *cobra.Command {
	command := &cobra.Command{
		Use:   "user",
		Short: "Look after the users of a box",
	}
	command.AddCommand(boxUserListCommand(s), boxUserShowCommand(s), boxUserAddCommand(s), boxUserUpdateCommand(s),
		boxUserRemoveCommand(s))
	return command
}

// showMembers prints the users of a box as a table.
func (s *session) showMembers(users []client.Member) error {
	return s.show(users, []string{"USER", "ROLE", "STATE"}, func(add func(...string)) {
		for _, user := range users {
			add(user.Username, user.Role, state(user.IsActive))
		}
	})
}

func state(active bool) string {
	if active {
		return "active"
	}
	return "inactive"
}

func boxUserListCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:     "list BOX",
		Short:   "List the users of a box, with their roles",
		Example: "  lockbox box user list prod",
		Args:    cobra.ExactArgs(1),
		RunE: s.run(func(ctx context.Context, server *client.Client, args []string) error {
			// What a box shows of itself has the roles, and every user of it may ask.
			box, err := server.DescribeBox(ctx, args[0])
			if err != nil {
				return err
			}
			return s.showMembers(box.Users)
		}),
		ValidArgsFunction: first(s.completeBoxes()),
	}
}

func boxUserShowCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:     "show BOX USER",
		Short:   "Show a user of a box, with its permissions there",
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
				add("state", state(user.IsActive))
				add("permissions", cmp.Or(strings.Join(texts(user.Permissions), ", "), "-"))
			})
		}),
		ValidArgsFunction: inTurn(s.completeBoxes(), s.completeMembers()),
	}
}

func boxUserAddCommand(s *session) *cobra.Command {
	var role string
	command := &cobra.Command{
		Use:   "add BOX USER",
		Short: "Let a user into a box, to read its entries",
		Long: `Let a user into a box. The user may list the keys of entries and read them, if it has the encryption key; lockbox box
permissions says what else.`,
		Example: "  lockbox box user add prod anna\n  lockbox box user add prod boris --role boxadmin",
		Args:    cobra.ExactArgs(2),
		RunE: s.run(func(ctx context.Context, server *client.Client, args []string) error {
			return server.AddBoxUser(ctx, args[0], args[1], role)
		}),
		ValidArgsFunction: inTurn(s.completeBoxes(), s.completeUsers()),
	}
	boxRoleFlag(command, &role, "boxuser, or boxadmin who looks after the box; boxuser by default")
	return command
}

func boxRoleFlag(command *cobra.Command, role *string, usage string) {
	command.Flags().StringVar(role, "role", "", usage)
	_ = command.RegisterFlagCompletionFunc("role",
		cobra.FixedCompletions([]string{client.RoleBoxUser, client.RoleBoxAdmin}, cobra.ShellCompDirectiveNoFileComp))
}

func boxUserUpdateCommand(s *session) *cobra.Command {
	var role string
	var active bool
	command := &cobra.Command{
		Use:   "update BOX USER",
		Short: "Change a user's role in a box, or whether it takes part",
		Example: "  lockbox box user update prod anna --role boxadmin\n  lockbox box user update prod anna " +
			"--active=false",
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: inTurn(s.completeBoxes(), s.completeMembers()),
	}
	boxRoleFlag(command, &role, "boxuser or boxadmin")
	command.Flags().BoolVar(&active, "active", true,
		"whether the user takes part; without part, the box is not there for it")
	command.RunE = s.run(func(ctx context.Context, server *client.Client, args []string) error {
		change := client.BoxUserChange{Role: role}
		if command.Flags().Changed("active") {
			change.IsActive = &active
		}
		if change == (client.BoxUserChange{}) {
			return &usageError{errors.New("nothing to change: use --role or --active")}
		}
		return server.UpdateBoxUser(ctx, args[0], args[1], change)
	})
	return command
}

func boxUserRemoveCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "remove BOX USER",
		Short: "Take a user out of a box",
		Long: `Take a user out of a box. It counts from the next request on; what the user has read already, it knows: write new values
where that matters.`,
		Example: "  lockbox box user remove prod anna",
		Args:    cobra.ExactArgs(2),
		RunE: s.run(func(ctx context.Context, server *client.Client, args []string) error {
			return server.RemoveBoxUser(ctx, args[0], args[1])
		}),
		ValidArgsFunction: inTurn(s.completeBoxes(), s.completeMembers()),
	}
}
