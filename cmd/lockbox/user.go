package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/cmd/boot"
	"github.com/lockbox-go/lockbox/cmd/lockbox/prompt"
	"github.com/lockbox-go/lockbox/cmd/lockbox/terminal"
	"github.com/lockbox-go/lockbox/domain/identity"
)

// userCommand groups the commands that manage accounts directly on the database. They need the settings of the server.
// The server itself need not run.
func userCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "user",
		Short: "Manage accounts directly on the database, even if no admin can sign in",
		Long: `Manage accounts directly on the database, with the server's settings: LOCKBOX_DATABASE_URL and
LOCKBOX_SECRET_KEY. Servers may keep running. Every change is audited, with (terminal) as the actor. If you can sign in
as an admin, use lockbox users, which works over HTTP.`,
	}
	command.AddCommand(userCreateCommand(), userListCommand(), userPasswdCommand(),
		userActionCommand("activate NAME", "Activate a user who was deactivated", "is active",
			func(ctx context.Context, operator identity.Operator, name string) error {
				return operator.SetUserActive(ctx, name, true)
			}),
		userActionCommand("deactivate NAME", "Deactivate a user and revoke all of the user's sessions and API keys",
			"is inactive; all of the user's sessions and API keys are revoked",
			func(ctx context.Context, operator identity.Operator, name string) error {
				return operator.SetUserActive(ctx, name, false)
			}),
		userActionCommand("unlock NAME", "End the lockout of a user who sent too many wrong credentials",
			"can sign in now", func(ctx context.Context, operator identity.Operator, name string) error {
				return operator.UnlockUser(ctx, name)
			}))
	return command
}

// withOperator opens the database and the key ring, calls the function run, and closes the database and the key ring.
func withOperator(command *cobra.Command, run func(ctx context.Context, operator identity.Operator) error) error {
	config, log, err := settings()
	if err != nil {
		return err
	}
	operator, closeAll, err := boot.OpenOperator(command.Context(), config, log)
	if err != nil {
		return err
	}
	defer closeAll()
	return run(command.Context(), operator)
}

// userCreateCommand creates a user. For an existing user, it revokes all sessions instead. With --recreate, it also
// replaces the user's TOTP secret, for example because the user has lost it.
func userCreateCommand() *cobra.Command {
	var in identity.OperatorCreateUser
	command := &cobra.Command{
		Use:   "create -u NAME -g GROUP",
		Short: "Create a user who signs in with TOTP codes, or revoke the sessions of an existing user",
		Long: `Create a user in a group (viewer, manager, owner) who signs in with TOTP codes, and print the TOTP
secret, its URI and a QR code for an authenticator app. If the user exists, revoke all of the user's sessions instead;
--recreate also replaces the secret and sets the group. There is one owner: creating the first owner initializes the
system.`,
		Example: "  lockbox user create -u root -g owner\n  lockbox user create -u root -g owner -r",
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return withOperator(command, func(ctx context.Context, operator identity.Operator) error {
				done, err := operator.CreateUser(ctx, in)
				if err != nil {
					return err
				}
				printAccount(command.OutOrStdout(), done)
				return nil
			})
		},
	}
	command.Flags().StringVarP(&in.Username, "username", "u", "", "name of the user")
	command.Flags().StringVarP(&in.Group, "group", "g", "", "viewer, manager or owner")
	command.Flags().BoolVarP(&in.Recreate, "recreate", "r", false,
		"for an existing user, replace the TOTP secret and set the group")
	_ = command.MarkFlagRequired("username")
	_ = command.MarkFlagRequired("group")
	return command
}

// printAccount prints the name and the TOTP secret of a user. The operator passes the secret on to the user.
func printAccount(out io.Writer, done identity.OperatorUser) {
	if done.Created {
		fmt.Fprintf(out, "User %s is created.\n", terminal.Printable(done.User.Spelling))
	} else {
		fmt.Fprintf(out, "User %s exists; all of the user's sessions are revoked.\n",
			terminal.Printable(done.User.Spelling))
	}
	if done.Enrolment == nil {
		fmt.Fprintln(out, "The user has already enrolled the TOTP secret, so it is not shown again. "+
			"To replace it, add --recreate.")
		return
	}
	fmt.Fprintf(out, "Secret: %s\nURI:    %s\n\n%s\n", done.Enrolment.Secret, done.Enrolment.URI,
		done.Enrolment.Terminal)
}

// userListCommand prints a table of all users. In the column GROUP, "-" means that the user has no group.
func userListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List all users, oldest first",
		Example: "  lockbox user list",
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return withOperator(command, func(ctx context.Context, operator identity.Operator) error {
				users, err := operator.ListUsers(ctx)
				if err != nil {
					return err
				}
				table := tabwriter.NewWriter(command.OutOrStdout(), 0, 0, 2, ' ', 0)
				fmt.Fprintln(table, "NAME\tGROUP\tROLE\tSTATE\tCREATED")
				for _, user := range users {
					group, state := user.Group.String(), "active"
					if group == "" {
						group = "-"
					}
					if !user.Active {
						state = "inactive"
					}
					fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", terminal.Printable(user.Spelling), group, user.Role,
						state, user.CreatedAt.Format(time.RFC3339))
				}
				return table.Flush()
			})
		},
	}
}

// userActionCommand returns a command with one argument, a user name. The command calls the function act with this
// name. If act succeeds, the command prints the user name, followed by the text in the argument done.
func userActionCommand(use, short, done string,
	act func(ctx context.Context, operator identity.Operator, name string) error) *cobra.Command {
	example := "  lockbox user " + strings.ReplaceAll(use, "NAME", "anna")
	return &cobra.Command{
		Use:     use,
		Short:   short,
		Example: example,
		Args:    cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			return withOperator(command, func(ctx context.Context, operator identity.Operator) error {
				if err := act(ctx, operator, args[0]); err != nil {
					return err
				}
				fmt.Fprintln(command.OutOrStdout(), args[0], done)
				return nil
			})
		},
	}
}

// userPasswdCommand reads the password before it opens the database. Otherwise a connection would stay open while a
// person types.
func userPasswdCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "passwd NAME",
		Short: "Set a user's password and revoke all of the user's sessions",
		Long: "Set a user's password and revoke all of the user's sessions. " +
			"On a terminal, the command prompts for the password; otherwise it reads one line from standard input.",
		Example: "  lockbox user passwd anna\n  lockbox user passwd anna < password",
		Args:    cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			password, err := askPassword(command.Context(), command.InOrStdin())
			if err != nil {
				return err
			}
			return withOperator(command, func(ctx context.Context, operator identity.Operator) error {
				if err := operator.SetPassword(ctx, args[0], password); err != nil {
					return err
				}
				fmt.Fprintln(command.OutOrStdout(), args[0],
					"has a new password; all of the user's sessions are revoked")
				return nil
			})
		},
	}
}

// askPassword prompts twice for a password and does not show it. If the input is not a terminal, askPassword reads one
// line instead.
func askPassword(ctx context.Context, in io.Reader) (string, error) {
	if !prompt.IsTerminal(in) {
		return prompt.FirstLine(in)
	}
	return prompt.New(ctx, "New password: ")
}
