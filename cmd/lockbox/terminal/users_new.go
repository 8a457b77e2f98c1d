package terminal

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
	"github.com/lockbox-go/lockbox/cmd/lockbox/prompt"
)

// usersCreateCommand creates a user with a password (POST /users). It works without a token, because a server may allow
// anonymous registration. Without --role, the new user has the role "user". With --output json it prints
// {"apiKey":"…"}. The exit code is exitUsage if the password is too short, and exitConflict if the name is in use.
func usersCreateCommand(s *session) *cobra.Command {
	var role string
	var fromStdin bool
	command := &cobra.Command{
		Use:   "create USER",
		Short: "Create a user with a password, and print an API key for the user",
		Long: `Create a user with a password and print an API key for the user. Standard output contains the key and
nothing else. The key is not shown again. The command asks twice for the password. Only admins may create users,
unless the server lets everyone register: then the command works without a sign-in.

Use this command for programs, which sign in with the key. To let a person choose the password, use lockbox users
invite. To create a user who signs in with TOTP codes instead of a password, use lockbox users add.`,
		Example: `  lockbox users create backup
  lockbox users create boris --role admin
  lockbox users create ci --password-stdin < password > ci.key`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(command *cobra.Command, args []string) error {
			ctx := command.Context()
			// If there is no token and the server does not allow anonymous registration, the error of the server
			// explains the reason.
			server, err := s.openOrAnonymous(ctx)
			if err != nil {
				return err
			}
			password, err := s.secret(ctx, secretQuestion{
				fromStdin: fromStdin,
				in:        s.input(ctx),
				ask:       prompt.New,
				text:      "Password for " + args[0] + ": ",
				flag:      "--password-stdin",
			})
			if err != nil {
				return err
			}
			key, err := server.CreateUser(ctx, client.NewUser{Username: args[0], Password: password, Role: role})
			if err != nil {
				return err
			}
			return s.showAPIKey(key)
		},
	}
	addRoleFlag(command, &role, "user or admin (default user)")
	addPasswordStdinFlag(command, &fromStdin)
	return command
}

// showAPIKey prints only the key, so that the output can be redirected into a file.
func (s *session) showAPIKey(key client.Secret) error {
	err := s.show(map[string]string{"apiKey": key.Reveal()}, nil, func(add func(...string)) { add(key.Reveal()) })
	// Print the notice only if the key was printed.
	if err == nil {
		s.report("Store this API key now: it is not shown again.")
	}
	return err
}

// usersAddCommand creates an account without a password (POST /api/v1/user/add). The exit code is exitConflict if the
// name is in use. The command prints all accounts, because the response contains all accounts.
func usersAddCommand(s *session) *cobra.Command {
	var group string
	command := &cobra.Command{
		Use:   "add USER --group GROUP",
		Short: "Add a user who belongs to a group and signs in with TOTP codes (owner)",
		Long: `Add a user who signs in with TOTP codes and has no password. Then list all users. Only the owner may
do this. To show the TOTP secret for the user's authenticator app, use lockbox users setup.`,
		Example: "  lockbox users add anna --group manager\n  lockbox users setup anna",
		Args:    cobra.ExactArgs(1),
		RunE: s.run(func(ctx context.Context, server *client.Client, args []string) error {
			accounts, err := server.Accounts().AddUser(ctx, args[0], group)
			if err != nil {
				return err
			}
			return s.showAccounts(accounts)
		}),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	addGroupFlag(command, &group, "viewer or manager")
	// The flag is required, because the accounts API has no default group.
	_ = command.MarkFlagRequired("group")
	return command
}

// usersSetupCommand shows the pending TOTP secret of an account (GET /api/v1/user/auth/setup/{user}). After the first
// accepted code the server no longer returns the secret. Users with a password run lockbox users totp enrol instead.
func usersSetupCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "setup USER",
		Short: "Show the TOTP secret of a new user (owner)",
		Long: `Show the TOTP secret of a user who has no password, and on a terminal also as a QR code. This works
until the server has accepted the first code. Only the owner can run this command. Give the secret to the user, who
signs in with lockbox login --code.`,
		Example: "  lockbox users setup anna",
		Args:    cobra.ExactArgs(1),
		RunE: s.run(func(ctx context.Context, server *client.Client, args []string) error {
			enrolment, err := server.Accounts().ShowTOTP(ctx, args[0])
			if err != nil {
				return err
			}
			return s.showEnrolment(enrolment)
		}),
		ValidArgsFunction: completeFirst(s.completeUsers()),
	}
}
