package terminal

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
)

// totpCommand is the parent of the commands for two-factor authentication. The subcommand remove also works on other
// accounts. The other subcommands work only on the account of the caller.
func totpCommand(s *session) *cobra.Command {
	command := &cobra.Command{
		Use:   "totp",
		Short: "Manage two-factor authentication with TOTP codes",
		Long: `Manage two-factor authentication (2FA). When it is enabled, a sign-in needs the password, and a TOTP
code from an authenticator app or a recovery code.`,
		Example: "  lockbox users totp enrol\n  lockbox users totp confirm",
	}
	command.AddCommand(totpEnrolCommand(s), totpConfirmCommand(s), totpRemoveCommand(s))
	return command
}

// enrolmentResult is the JSON output for an enrolment. It contains the secrets as plain text.
type enrolmentResult struct {
	// Secret is in base32, for apps that cannot scan the QR code.
	Secret string `json:"secret"`
	// URI is an otpauth:// URI, the contents of the QR code.
	URI string `json:"uri,omitempty"`
	// QR is a PNG picture as a data URL.
	QR            string   `json:"qr"`
	RecoveryCodes []string `json:"recoveryCodes,omitempty"`
}

// showEnrolment prints the data for an authenticator app. On a terminal it draws the QR code too.
func (s *session) showEnrolment(enrolment *client.Enrolment) error {
	result := enrolmentResult{
		Secret: enrolment.Secret.Reveal(),
		URI:    enrolment.URI.Reveal(),
		QR:     enrolment.QR.Reveal(),
	}
	// The response for lockbox users totp enrol contains recovery codes. The response for lockbox users setup contains
	// none.
	for _, code := range enrolment.RecoveryCodes {
		result.RecoveryCodes = append(result.RecoveryCodes, code.Reveal())
	}
	if s.output != formatJSON && isTerminal(s.out) {
		// A QR code that is drawn with block characters is useless in a file or a pipe.
		fmt.Fprintln(s.out, qrText(enrolment.PNG()))
	}
	return s.show(result, nil, func(add func(...string)) {
		add("secret", result.Secret)
		// For an account without a password, the server returns no URI.
		if result.URI != "" {
			add("uri", result.URI)
		}
		// The label appears only before the first code.
		label := "recovery codes"
		for _, code := range result.RecoveryCodes {
			add(label, code)
			label = ""
		}
	})
}

// totpEnrolCommand starts an enrolment (POST /users/{username}/totp). The command needs a code only if the new
// enrolment replaces a confirmed one. With --output json it prints the secret, the URI, the QR code as a data URL and
// the recovery codes.
func totpEnrolCommand(s *session) *cobra.Command {
	var flags proofFlags
	command := &cobra.Command{
		Use:   "enrol",
		Short: "Generate a TOTP secret for your authenticator app, and recovery codes",
		Long: `Generate a TOTP secret for your authenticator app, and ten recovery codes. Each recovery code replaces
a TOTP code once. The command shows the secret and the codes only once: store the recovery codes apart from your
phone.

Nothing changes until lockbox users totp confirm accepts the first code. The command asks for your password, if you
have one, and for a TOTP code or a recovery code if two-factor is already enabled.`,
		Example: "  lockbox users totp enrol\n  lockbox users totp confirm",
		Args:    cobra.NoArgs,
		RunE: s.run(func(ctx context.Context, server *client.Client, _ []string) error {
			who, err := server.WhoAmI(ctx)
			if err != nil {
				return err
			}
			proof, err := s.readProof(ctx, flags)
			if err != nil {
				return err
			}
			var enrolment *client.Enrolment
			err = s.withProof(ctx, proof, func(proof client.TOTPProof) (err error) {
				enrolment, err = server.EnrolTOTP(ctx, who.Username, proof)
				return err
			})
			if err != nil {
				return err
			}
			if err := s.showEnrolment(enrolment); err != nil {
				return err
			}
			s.report("Add the secret to your authenticator app. To confirm the first code of the app, run: " +
				"lockbox users totp confirm")
			return nil
		}),
	}
	addProofFlags(command, &flags)
	return command
}

// totpConfirmCommand confirms an enrolment (POST /users/{username}/totp/confirm). The exit code is exitForbidden if
// the code is wrong. It prints nothing on standard output.
func totpConfirmCommand(s *session) *cobra.Command {
	var flags proofFlags
	command := &cobra.Command{
		Use:   "confirm",
		Short: "Enable two-factor with the first TOTP code",
		Long: `Enable two-factor authentication. Run lockbox users totp enrol first, and enter the TOTP code that
your app then shows. The command also asks for your password, if you have one. Afterwards, every sign-in needs a
code.`,
		Example: "  lockbox users totp confirm\n" +
			"  oathtool --totp -b - < secret | lockbox users totp confirm --code-stdin",
		Args: cobra.NoArgs,
		RunE: s.run(func(ctx context.Context, server *client.Client, _ []string) error {
			who, err := server.WhoAmI(ctx)
			if err != nil {
				return err
			}
			// The server always requires a code for a confirmation, so ask for the code before the first request.
			proof, err := s.readProof(ctx, flags)
			if err == nil && !flags.codeStdin {
				proof.Code, err = s.code(ctx, false, totpQuestion)
			}
			if err != nil {
				return err
			}
			err = s.withProof(ctx, proof, func(proof client.TOTPProof) error {
				return server.ConfirmTOTP(ctx, who.Username, proof)
			})
			if err != nil {
				return err
			}
			s.report("Enabled two-factor for %s. Signing in now requires a TOTP code.", who.Username)
			return nil
		}),
	}
	addProofFlags(command, &flags)
	return command
}

// totpRemoveCommand disables two-factor (DELETE /users/{username}/totp). The server then deletes the secret and the
// recovery codes. The exit code is exitNotFound if the user has not enabled two-factor.
func totpRemoveCommand(s *session) *cobra.Command {
	var fromStdin bool
	command := &cobra.Command{
		Use:   "remove [USER]",
		Short: "Disable two-factor for yourself or, as an admin, for another user",
		Long: `Disable two-factor authentication. To disable it for yourself, you need a TOTP code or a recovery
code. An admin can disable it for another user without a code, for example after the user has lost their phone.`,
		Example: "  lockbox users totp remove\n  lockbox users totp remove anna      # who lost her phone",
		Args:    cobra.MaximumNArgs(1),
		RunE: s.run(func(ctx context.Context, server *client.Client, args []string) error {
			name, err := userOrSelf(ctx, server, args)
			if err != nil {
				return err
			}
			return s.withCode(ctx, fromStdin, func(code client.Secret) error {
				return server.RemoveTOTP(ctx, name, code)
			})
		}),
		ValidArgsFunction: completeFirst(s.completeUsers()),
	}
	addCodeStdinFlag(command, &fromStdin)
	return command
}
