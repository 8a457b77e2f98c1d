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
	"github.com/lockbox-go/lockbox/domain/identity"
)

func userCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "user",
		Short: "Look after accounts straight on the database, for the day nobody can sign in",
		Long: `Look after accounts straight on the database, with the server's settings: LOCKBOX_DATABASE_URL and LOCKBOX_SECRET_KEY.
Servers may run meanwhile. All of it is on record as done from the terminal. lockbox users does much of it over HTTP, for
who can sign in.`,
	}
	command.AddCommand(userCreateCommand(), userListCommand(), userPasswdCommand(),
		userActionCommand("activate NAME", "Let a user who was deactivated sign in again", "is active",
			func(ctx context.Context, operator identity.Operator, name string) error {
				return operator.SetUserActive(ctx, name, true)
			}),
		userActionCommand("deactivate NAME", "End a user's sessions and API keys, and let it sign in no more",
			"is inactive; its sessions and API keys have ended",
			func(ctx context.Context, operator identity.Operator, name string) error {
				return operator.SetUserActive(ctx, name, false)
			}),
		userActionCommand("unlock NAME", "Let a user sign in at once who has to wait after wrong credentials",
			"may sign in at once", func(ctx context.Context, operator identity.Operator, name string) error {
				return operator.UnlockUser(ctx, name)
			}))
	return command
}

// withOperator opens the database and the keys for a command.
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

func userCreateCommand() *cobra.Command {
	var in identity.OperatorCreateUser
	command := &cobra.Command{
		Use:   "create -u NAME -g GROUP",
		Short: "Make a user who signs in with one-time codes, or end the sessions of one that exists",
		Long: `Make a user of a group (viewer, manager, owner) who signs in with one-time codes, and print the secret, its URI and a QR
code for an authenticator app. Where the user exists, all its sessions end instead; --recreate gives it a new secret as
well, and the group. There is one owner: the first one that is made initializes the system.`,
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
	command.Flags().BoolVarP(&in.Recreate, "recreate", "r", false, "give a user who exists a new secret and the group")
	_ = command.MarkFlagRequired("username")
	_ = command.MarkFlagRequired("group")
	return command
}

func printAccount(out io.Writer, done identity.OperatorUser) {
	if done.Created {
		fmt.Fprintf(out, "%s is made.\n", done.User.Spelling)
	} else {
		fmt.Fprintf(out, "%s exists; all its sessions have ended.\n", done.User.Spelling)
	}
	if done.Enrolment == nil {
		fmt.Fprintln(out, "Its one-time codes were enrolled by the user, and their secret is shown to nobody; "+
			"--recreate makes a new one.")
		return
	}
	fmt.Fprintf(out, "Secret: %s\nURI:    %s\n\n%s\n", done.Enrolment.Secret, done.Enrolment.URI,
		done.Enrolment.Terminal)
}

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
					fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", user.Spelling, group, user.Role, state,
						user.CreatedAt.Format(time.RFC3339))
				}
				return table.Flush()
			})
		},
	}
}

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

func userPasswdCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "passwd NAME",
		Short: "Set a user's password, which ends all its sessions",
		Long: "Set a user's password, which ends all its sessions. It is asked for, or read from standard input, " +
			"one line.",
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
				fmt.Fprintln(command.OutOrStdout(), args[0], "has a new password; its sessions have ended")
				return nil
			})
		},
	}
}

// askPassword asks twice without an echo on a terminal, and reads one line from anything else.
func askPassword(ctx context.Context, in io.Reader) (string, error) {
	if !prompt.IsTerminal(in) {
		return prompt.FirstLine(in)
	}
	return prompt.New(ctx, "New password: ")
}
