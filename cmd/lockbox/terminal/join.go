package terminal

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
	"github.com/lockbox-go/lockbox/cmd/lockbox/profile"
	"github.com/lockbox-go/lockbox/cmd/lockbox/prompt"
)

// joinFlags are the flags of lockbox join.
type joinFlags struct {
	passwordStdin bool // read the password from standard input
	yes           bool // accept plain HTTP without a question
}

// joinCommand accepts an invitation (POST /invitations/accept), signs in and saves a profile. A damaged invitation
// causes exitUsage before the first request. If the invitation is expired, used or revoked, the command ends with
// exitUnauthenticated before it asks for the password. The profile is saved before two-factor is offered, so a later
// failure cannot lose the session.
func joinCommand(s *session) *cobra.Command {
	var flags joinFlags
	command := &cobra.Command{
		Use:   "join INVITATION",
		Short: "Accept an invitation: choose a password and sign in",
		Long: `Accept an invitation that an admin made with lockbox users invite. The command checks the invitation,
asks twice for a new password, signs you in, and stores the session as lockbox login does. Then it offers to enable
two-factor authentication, and to create your identity; see lockbox identity.

The command first shows the server that the invitation names, and sends the password only to that server. The
invitation works once. Afterwards, the line in the history of your shell is worthless.`,
		Example: "  lockbox join lbi1_aHR0cHM…\n  lockbox join lbi1_aHR0cHM… --profile work",
		Args:    cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			return s.join(command.Context(), args[0], flags)
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	addPasswordStdinFlag(command, &flags.passwordStdin)
	command.Flags().BoolVar(&flags.yes, "yes", false, "do not ask before sending the password without encryption")
	return command
}

// join implements joinCommand.
func (s *session) join(ctx context.Context, invitation string, flags joinFlags) error {
	url, code, err := parseJoinText(invitation)
	if err != nil {
		return err
	}
	if s.server != "" {
		return &usageError{errors.New("--server cannot be used here: the invitation names the server")}
	}
	if err := s.selectProfileToJoin(url); err != nil {
		return err
	}
	anonymous, err := s.connect("")
	if err != nil {
		return err
	}
	s.report("The invitation is for the server %s.", anonymous.URL())
	if exposesPassword(url) {
		if err := confirm(ctx, flags.yes, "Send your password to %s without encryption?", anonymous.URL()); err != nil {
			return err
		}
	}
	signedIn, password, err := s.acceptInvitation(ctx, anonymous, code, flags.passwordStdin)
	if err != nil {
		return err
	}
	if err := s.saveProfile(signedIn); err != nil {
		return err
	}
	s.reportSignedIn(signedIn)
	if flags.passwordStdin || s.output == formatJSON || !prompt.Possible() {
		return nil
	}
	server := anonymous.WithToken(client.NewSecret(signedIn.Token))
	if err := s.offerTOTP(ctx, server, signedIn.Username, password); err != nil {
		return err
	}
	return s.offerIdentity(ctx, server, signedIn.Username)
}

// selectProfileToJoin selects a profile for the server, and checks that the profile can be written. The profile must be
// new or signed out, because join would overwrite the session or API key in it. This rule also applies to a profile
// that the user names with --profile.
func (s *session) selectProfileToJoin(url string) error {
	if err := s.selectProfileForLogin([]string{url}); err != nil {
		return err
	}
	if s.selected.SignedIn() {
		return &usageError{fmt.Errorf("the profile %s is already signed in to %s as %s: "+
			"choose another profile with --profile NAME, or run lockbox logout first",
			s.name, s.selected.URL, s.selected.Username)}
	}
	return s.prepareProfile(false)
}

// acceptInvitation checks the code of the invitation, asks for a password, creates the user and signs in. It also
// returns the password. If the server refuses the password, the invitation stays open.
func (s *session) acceptInvitation(ctx context.Context, anonymous *client.Client, code client.Secret,
	fromStdin bool) (signedIn profile.Profile, password client.Secret, err error) {
	// This request has no password, so the server always refuses it. The server checks the code first, so the error
	// password_required means that the invitation is open.
	_, err = anonymous.AcceptInvitation(ctx, code, client.Secret{})
	if err == nil {
		err = errors.New("the server accepted the invitation without a password: it is not a Lockbox server")
	}
	if refused, ok := errors.AsType[*client.Error](err); !ok || refused.Code != "password_required" {
		return profile.Profile{}, password, err
	}
	password, err = s.secret(ctx, secretQuestion{
		fromStdin: fromStdin,
		in:        s.input(ctx),
		ask:       prompt.New,
		text:      "New password: ",
		flag:      "--password-stdin",
	})
	if err != nil {
		return profile.Profile{}, password, err
	}
	username, err := anonymous.AcceptInvitation(ctx, code, password)
	if errors.Is(err, client.ErrInvalid) {
		err = &detailedError{error: err, suffix: "; the invitation is still open: run the command again"}
	}
	if errors.Is(err, client.ErrConflict) {
		err = &detailedError{error: err, suffix: ": ask an admin for an invitation under another name"}
	}
	if err != nil {
		return profile.Profile{}, password, err
	}
	session, err := anonymous.SignIn(ctx, client.Credentials{Username: username, Password: password})
	if err != nil {
		return profile.Profile{}, password, &detailedError{error: err, suffix: "; your account exists: " +
			"sign in with lockbox login " + anonymous.URL() + " --username " + username}
	}
	return profile.Profile{
		URL:       anonymous.URL(),
		Username:  username,
		Token:     session.Token.Reveal(),
		ExpiresAt: session.ExpiresAt,
	}, password, nil
}

// offerTOTP asks whether the user wants two-factor. If the user agrees, it enrols and confirms two-factor with the
// password that the user has just chosen. If a step fails, the user has joined nevertheless. The error message then
// names the command that completes the enrolment.
func (s *session) offerTOTP(ctx context.Context, server *client.Client, username string,
	password client.Secret) error {
	wanted, err := prompt.Yes(ctx, "Enable two-factor authentication with an authenticator app now?")
	if err != nil && ctx.Err() != nil {
		return err
	}
	if !wanted { // or the terminal has closed
		s.report("To enable two-factor later, run: lockbox users totp enrol")
		return nil
	}
	proof := client.TOTPProof{CurrentPassword: password}
	enrolment, err := server.EnrolTOTP(ctx, username, proof)
	if err != nil {
		return &detailedError{error: err, suffix: "; you have joined; " +
			"to enable two-factor later, run lockbox users totp enrol"}
	}
	if err := s.showEnrolment(enrolment); err != nil {
		return err
	}
	s.report("Add the secret to your authenticator app, and store the recovery codes apart from your phone.")
	if proof.Code, err = s.code(ctx, false, totpQuestion); err != nil {
		return err
	}
	if err := server.ConfirmTOTP(ctx, username, proof); err != nil {
		return &detailedError{error: err, suffix: "; you have joined; " +
			"to enable two-factor, run lockbox users totp confirm"}
	}
	s.report("Enabled two-factor for %s. Signing in now requires a TOTP code.", username)
	return nil
}
