package terminal

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
	"github.com/lockbox-go/lockbox/cmd/lockbox/prompt"
)

func usersCreateCommand(s *session) *cobra.Command {
	var role string
	var fromInput bool
	command := &cobra.Command{
		Use:   "create USER",
		Short: "Make a user with a password, and print an API key of its",
		Long: `Make a user with a password, and print an API key of its, this once and alone on standard output. The password is asked
for twice without showing it. Admins may, and where the server lets anybody register, anybody, without signing in.

lockbox users add makes a user who signs in with one-time codes instead.`,
		Example: `  lockbox users create anna
  lockbox users create boris --role admin
  lockbox users create ci --password-stdin < password > ci.key`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(command *cobra.Command, args []string) error {
			ctx := command.Context()
			server, err := s.openOrNobody(ctx)
			if err != nil {
				return err
			}
			password, err := s.newPassword(ctx, bufio.NewReader(s.input(ctx)), fromInput, "Password for "+args[0]+": ")
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
	roleFlag(command, &role, "user or admin; user by default")
	command.Flags().BoolVar(&fromInput, "password-stdin", false, "read the password from standard input, one line")
	return command
}

// openOrNobody is open for the requests that need no token.
func (s *session) openOrNobody(ctx context.Context) (*client.Client, error) {
	server, err := s.open(ctx)
	if errors.Is(err, errNotSignedIn) {
		return s.connect("")
	}
	return server, err
}

// newPassword asks for a password that is to be set, or reads the next line of input.
func (s *session) newPassword(ctx context.Context, in *bufio.Reader, fromInput bool, question string) (client.Secret,
	error) {
	var text string
	var err error
	if fromInput {
		text, err = prompt.FirstLine(in)
	} else {
		text, err = ask(ctx, prompt.New, question, "--password-stdin")
	}
	return client.NewSecret(text), err
}

// showAPIKey prints a key alone, so that it can go into a file, and says to somebody who looks on that this was it.
func (s *session) showAPIKey(key client.Secret) error {
	err := s.show(map[string]string{"apiKey": key.Reveal()}, nil, func(add func(...string)) { add(key.Reveal()) })
	if err == nil {
		s.say("Keep the API key: it is not shown again.")
	}
	return err
}

func usersPasswdCommand(s *session) *cobra.Command {
	var fromInput, revokeKeys bool
	command := &cobra.Command{
		Use:   "passwd [USER]",
		Short: "Set your password, or as an admin somebody's, which ends all its sessions",
		Long: `Set your password, or as an admin somebody's. It ends all sessions of the user, this one too if it is yours. Your own
wants the current one first. All are asked for without showing them; with --password-stdin they are lines of standard
input: the current password, where it is your own, and the new one.`,
		Example: `  lockbox users passwd
  lockbox users passwd anna --revoke-api-keys
  lockbox users passwd anna --password-stdin < password`,
		Args: cobra.MaximumNArgs(1),
		RunE: s.run(func(ctx context.Context, server *client.Client, args []string) error {
			who, err := server.WhoAmI(ctx)
			if err != nil {
				return err
			}
			name := cmp.Or(append(args, who.Username)...)
			change := client.UserChange{RevokeAPIKeys: revokeKeys}
			in := bufio.NewReader(s.input(ctx))
			if strings.EqualFold(name, who.Username) {
				if change.CurrentPassword, err = s.currentPassword(ctx, in, fromInput); err != nil {
					return err
				}
			}
			if change.Password, err = s.newPassword(ctx, in, fromInput, "New password for "+name+": "); err != nil {
				return err
			}
			if change.Password.IsZero() {
				return &usageError{errors.New("the new password is empty")}
			}
			if err := server.UpdateUser(ctx, name, change); err != nil {
				return err
			}
			s.say("%s has a new password; its sessions have ended: lockbox login", name)
			return nil
		}),
		ValidArgsFunction: first(s.completeUsers()),
	}
	command.Flags().BoolVar(&fromInput, "password-stdin", false, "read the passwords from standard input, one a line")
	command.Flags().BoolVar(&revokeKeys, "revoke-api-keys", false, "end all API keys of the user too")
	return command
}

func (s *session) currentPassword(ctx context.Context, in *bufio.Reader, fromInput bool) (client.Secret, error) {
	var text string
	var err error
	if fromInput {
		text, err = prompt.FirstLine(in)
	} else {
		// Who signs in with codes alone has none.
		text, err = ask(ctx, prompt.Hidden, "Current password (empty if there is none): ", "--password-stdin")
	}
	return client.NewSecret(text), err
}

func usersAddCommand(s *session) *cobra.Command {
	var group string
	command := &cobra.Command{
		Use:   "add USER --group GROUP",
		Short: "Make a user who signs in with one-time codes, in a group; for the owner",
		Long: `Make a user who signs in with one-time codes and has no password, and list all users. lockbox users setup shows what its
authenticator app needs.`,
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
	groupFlag(command, &group, "viewer or manager")
	_ = command.MarkFlagRequired("group")
	return command
}

func usersSetupCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "setup USER",
		Short: "Show what a new user's authenticator app needs; for the owner",
		Long: `Show the secret of a user's one-time codes, with a QR code on a terminal, until the first code was accepted. It is for
the owner, who hands it on; lockbox login --code signs the user in.`,
		Example: "  lockbox users setup anna",
		Args:    cobra.ExactArgs(1),
		RunE: s.run(func(ctx context.Context, server *client.Client, args []string) error {
			shown, err := server.Accounts().ShowTOTP(ctx, args[0])
			if err != nil {
				return err
			}
			return s.showEnrolment(shown)
		}),
		ValidArgsFunction: first(s.completeUsers()),
	}
}
