package terminal

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
	"github.com/lockbox-go/lockbox/cmd/lockbox/prompt"
)

// usersPasswdCommand changes a password (PUT /users/{username}). The exit code is exitForbidden if the current
// password is wrong. It prints nothing on standard output. An admin cannot change the password of the owner.
func usersPasswdCommand(s *session) *cobra.Command {
	var fromStdin, revokeKeys bool
	command := &cobra.Command{
		Use:   "passwd [USER]",
		Short: "Change your password or, as an admin, the password of another user",
		Long: `Change your password, or as an admin that of another user. This revokes all sessions of the user,
including your current session if the password is yours. To change your own password, you also need the current
password. To set your first password, you also need a TOTP code.

The passwords are not shown while you type them. With --password-stdin, the command reads them from standard input.
To change your own password, write the current one on the first line and the new one on the second. To set your first
password, leave the first line empty and write the code on the third.`,
		Example: `  lockbox users passwd
  lockbox users passwd anna --revoke-api-keys
  lockbox users passwd anna --password-stdin < password`,
		Args: cobra.MaximumNArgs(1),
		RunE: s.run(func(ctx context.Context, server *client.Client, args []string) error {
			return s.changePassword(ctx, server, args, fromStdin, revokeKeys)
		}),
		ValidArgsFunction: completeFirst(s.completeUsers()),
	}
	command.Flags().BoolVar(&fromStdin, "password-stdin", false,
		"read the passwords from standard input, one per line")
	command.Flags().BoolVar(&revokeKeys, "revoke-api-keys", false, "also revoke all API keys of the user")
	return command
}

// changePassword changes the password of the user in args, or of the caller if args is empty. It sends the current
// password only if this user is the caller, because an admin need not know the password of another user.
func (s *session) changePassword(ctx context.Context, server *client.Client, args []string,
	fromStdin, revokeKeys bool) error {
	who, err := server.WhoAmI(ctx)
	if err != nil {
		return err
	}
	// args has at most one element. If it has none, name is the name of the caller.
	name := cmp.Or(append(args, who.Username)...)
	change := client.UserChange{RevokeAPIKeys: revokeKeys}
	// Use one reader for the passwords and the code. A second reader would miss bytes that the first reader has
	// buffered.
	in := bufio.NewReader(s.input(ctx))
	// Names are case-insensitive on the server.
	if strings.EqualFold(name, who.Username) {
		// A user who signs in only with TOTP codes has no current password, and enters an empty one.
		const question = "Current password (empty if there is none): "
		if change.CurrentPassword, err = s.passwordLine(ctx, in, fromStdin, prompt.Hidden, question); err != nil {
			return err
		}
	}
	question := "New password for " + name + ": "
	if change.Password, err = s.passwordLine(ctx, in, fromStdin, prompt.New, question); err != nil {
		return err
	}
	// If the request contains no new password, the server reports success without a change. Report an error instead.
	if change.Password.IsZero() {
		return &usageError{errors.New("the new password is empty")}
	}
	if err := s.updatePassword(ctx, server, in, fromStdin, name, change); err != nil {
		return err
	}
	s.report("Changed the password of %s and revoked all sessions. Sign in again with: lockbox login", name)
	return nil
}

// updatePassword sends the change. Users without a password need a code to set their first password. If the server
// requires a code, updatePassword gets the code from passwordLine and sends the change again.
func (s *session) updatePassword(ctx context.Context, server *client.Client, in io.Reader, fromStdin bool, name string,
	change client.UserChange) error {
	err := server.UpdateUser(ctx, name, change)
	var refused *client.Error
	if !errors.As(err, &refused) || refused.Code != "password_code_required" {
		return err
	}
	code, err := s.passwordLine(ctx, in, fromStdin, prompt.Hidden, totpOrRecoveryQuestion)
	if err != nil {
		return err
	}
	change.Code = client.NewSecret(strings.TrimSpace(code.Reveal()))
	return server.UpdateUser(ctx, name, change)
}

// passwordLine returns a password or a code. If fromStdin is true, it reads the next line from the argument in.
// Otherwise, it asks the user. Pass the same reader to every call, because the reader buffers more than one line.
func (s *session) passwordLine(ctx context.Context, in io.Reader, fromStdin bool,
	how func(context.Context, string) (string, error), question string) (client.Secret, error) {
	return s.secret(ctx, secretQuestion{
		fromStdin: fromStdin,
		in:        in,
		ask:       how,
		text:      question,
		flag:      "--password-stdin",
	})
}
