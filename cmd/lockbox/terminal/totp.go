package terminal

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
	"github.com/lockbox-go/lockbox/cmd/lockbox/prompt"
)

func totpCommand(s *session) *cobra.Command {
	command := &cobra.Command{
		Use:   "totp",
		Short: "Look after one-time codes as a second factor beside the password",
	}
	command.AddCommand(totpEnrolCommand(s), totpConfirmCommand(s), totpRemoveCommand(s))
	return command
}

// enrolmentShown is an enrolment as the server answers it.
type enrolmentShown struct {
	Secret        string   `json:"secret"`
	URI           string   `json:"uri,omitempty"`
	QR            string   `json:"qr"`
	RecoveryCodes []string `json:"recoveryCodes,omitempty"`
}

// showEnrolment prints what an authenticator app needs, with a QR code where a phone can read it.
func (s *session) showEnrolment(made *client.Enrolment) error {
	shown := enrolmentShown{Secret: made.Secret.Reveal(), URI: made.URI.Reveal(), QR: made.QR.Reveal()}
	for _, code := range made.RecoveryCodes {
		shown.RecoveryCodes = append(shown.RecoveryCodes, code.Reveal())
	}
	if s.output != formJSON && prompt.IsTerminal(s.out) {
		fmt.Fprintln(s.out, qrText(made.PNG()))
	}
	return s.show(shown, nil, func(add func(...string)) {
		add("secret", shown.Secret)
		if shown.URI != "" {
			add("uri", shown.URI)
		}
		label := "recovery codes"
		for _, code := range shown.RecoveryCodes {
			add(label, code)
			label = ""
		}
	})
}

// codeFlag is how scripts bring a code; people are asked.
func codeFlag(command *cobra.Command, fromInput *bool) {
	command.Flags().BoolVar(fromInput, "code-stdin", false, "read the code from standard input, one line")
}

func (s *session) code(ctx context.Context, fromInput bool, question string) (client.Secret, error) {
	var text string
	var err error
	if fromInput {
		text, err = prompt.FirstLine(s.input(ctx))
	} else {
		text, err = ask(ctx, prompt.Hidden, question, "--code-stdin")
	}
	return client.NewSecret(strings.TrimSpace(text)), err
}

const (
	codeQuestion     = "One-time code: "
	recoveryQuestion = "One-time code, or a recovery code: "
)

// wantsCode reports whether a request needs a code that it did not bring.
func wantsCode(err error) bool {
	var refused *client.Error
	return errors.As(err, &refused) && refused.Code == "code_required"
}

func totpEnrolCommand(s *session) *cobra.Command {
	var fromInput bool
	command := &cobra.Command{
		Use:   "enrol",
		Short: "Make a secret for your authenticator app, and ten recovery codes",
		Long: `Make a secret for your authenticator app, and ten recovery codes, each of which stands in for a code once. They are shown
this once: keep the recovery codes apart from the phone. Nothing changes until lockbox users totp confirm takes the first
code. Where codes are confirmed already, one of them, or a recovery code, is asked for.`,
		Example: "  lockbox users totp enrol\n  lockbox users totp confirm",
		Args:    cobra.NoArgs,
		RunE: s.run(func(ctx context.Context, server *client.Client, _ []string) error {
			who, err := server.WhoAmI(ctx)
			if err != nil {
				return err
			}
			var code client.Secret
			if fromInput {
				if code, err = s.code(ctx, true, ""); err != nil {
					return err
				}
			}
			made, err := server.EnrolTOTP(ctx, who.Username, code)
			if wantsCode(err) && !fromInput {
				if code, err = s.code(ctx, false, recoveryQuestion); err != nil {
					return err
				}
				made, err = server.EnrolTOTP(ctx, who.Username, code)
			}
			if err != nil {
				return err
			}
			if err := s.showEnrolment(made); err != nil {
				return err
			}
			s.say("Now let the app read it, and give the first code to lockbox users totp confirm.")
			return nil
		}),
	}
	codeFlag(command, &fromInput)
	return command
}

func totpConfirmCommand(s *session) *cobra.Command {
	var fromInput bool
	command := &cobra.Command{
		Use:   "confirm",
		Short: "Give the first code of a new secret; from then on signing in wants one",
		Example: "  lockbox users totp confirm\n  oathtool --totp -b - < secret | lockbox users totp confirm " +
			"--code-stdin",
		Args: cobra.NoArgs,
		RunE: s.run(func(ctx context.Context, server *client.Client, _ []string) error {
			who, err := server.WhoAmI(ctx)
			if err != nil {
				return err
			}
			code, err := s.code(ctx, fromInput, codeQuestion)
			if err != nil {
				return err
			}
			if err := server.ConfirmTOTP(ctx, who.Username, code); err != nil {
				return err
			}
			s.say("From now on signing in wants a code.")
			return nil
		}),
	}
	codeFlag(command, &fromInput)
	return command
}

func totpRemoveCommand(s *session) *cobra.Command {
	var fromInput bool
	command := &cobra.Command{
		Use:     "remove [USER]",
		Short:   "End your one-time codes with one of them, or as an admin somebody's without",
		Example: "  lockbox users totp remove\n  lockbox users totp remove anna      # who lost her phone",
		Args:    cobra.MaximumNArgs(1),
		RunE: s.run(func(ctx context.Context, server *client.Client, args []string) error {
			name, err := oneself(ctx, server, args)
			if err != nil {
				return err
			}
			var code client.Secret
			if fromInput {
				if code, err = s.code(ctx, true, ""); err != nil {
					return err
				}
			}
			err = server.RemoveTOTP(ctx, name, code)
			if wantsCode(err) && !fromInput {
				if code, err = s.code(ctx, false, recoveryQuestion); err != nil {
					return err
				}
				err = server.RemoveTOTP(ctx, name, code)
			}
			return err
		}),
		ValidArgsFunction: first(s.completeUsers()),
	}
	codeFlag(command, &fromInput)
	return command
}
