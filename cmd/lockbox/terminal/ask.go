package terminal

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
	"github.com/lockbox-go/lockbox/client/keys"
	"github.com/lockbox-go/lockbox/cmd/lockbox/prompt"
)

// The questions for second factors.
const (
	// totpQuestion asks for a TOTP code, at sign-in and for requests that accept no recovery code.
	totpQuestion = "TOTP code: "
	// totpOrRecoveryQuestion asks for a TOTP code or a recovery code, for example before a change of the two-factor
	// settings.
	totpOrRecoveryQuestion = "TOTP code or recovery code: "
)

// secretQuestion describes how a command obtains a password or a code.
type secretQuestion struct {
	// If fromStdin is set, the command does not ask, but reads a line of standard input.
	fromStdin bool
	// This reader supplies the standard input. A command that reads several lines must use one bufio.Reader for all of
	// them, because a new reader would miss lines that the previous reader has buffered.
	in io.Reader
	// ask prints the question at the terminal and reads the answer. It is a function of package prompt, such as
	// prompt.Hidden.
	ask func(ctx context.Context, question string) (string, error)
	// text is the question.
	text string
	// flag is the name of the command-line flag with which a script answers the question. The error for a missing
	// terminal contains this name.
	flag string
}

// secret reads a secret. If question.fromStdin is true, it reads one line of standard input. Otherwise, it asks at the
// terminal.
func (s *session) secret(ctx context.Context, question secretQuestion) (client.Secret, error) {
	var text string
	var err error
	if question.fromStdin {
		text, err = prompt.FirstLine(question.in)
	} else {
		text, err = ask(ctx, question.ask, question.text, question.flag)
	}
	// The server must never learn an unlock passphrase. Users can confuse it with the password, which is sent to the
	// server.
	if err == nil && question.flag == "--password-stdin" && keys.LooksLikePassphrase(text) {
		err = &usageError{errors.New("this looks like an unlock passphrase, and the server must never learn it: " +
			"enter the password of the account")}
	}
	if err != nil {
		text = ""
	}
	return client.NewSecret(text), err
}

// code obtains a TOTP code or a recovery code. It removes white space around the code.
func (s *session) code(ctx context.Context, fromStdin bool, question string) (client.Secret, error) {
	// The prompt does not echo the code, because an observer could use the code before the user does.
	code, err := s.secret(ctx, secretQuestion{
		fromStdin: fromStdin,
		in:        s.input(ctx),
		ask:       prompt.Hidden,
		text:      question,
		flag:      "--code-stdin",
	})
	return client.NewSecret(strings.TrimSpace(code.Reveal())), err
}

// proofFlags are the flags with which scripts pass the password and the code of the user.
type proofFlags struct{ codeStdin, passwordStdin bool }

// addProofFlags adds the flags. With both flags, the password is the first line of standard input and the code is the
// second line.
func addProofFlags(command *cobra.Command, flags *proofFlags) {
	command.Flags().BoolVar(&flags.codeStdin, "code-stdin", false,
		"read the code from the first line of standard input or, with --password-stdin, from the second line")
	command.Flags().BoolVar(&flags.passwordStdin, "password-stdin", false,
		"read your password from the first line of standard input")
}

// readProof reads the password, the code or both from standard input, as the flags specify.
func (s *session) readProof(ctx context.Context, flags proofFlags) (proof client.TOTPProof, err error) {
	in := bufio.NewReader(s.input(ctx))
	if flags.passwordStdin {
		if proof.CurrentPassword, err = s.passwordLine(ctx, in, true, nil, ""); err != nil {
			return proof, err
		}
	}
	if flags.codeStdin {
		text, err := prompt.FirstLine(in)
		proof.Code = client.NewSecret(strings.TrimSpace(text))
		return proof, err
	}
	return proof, nil
}

// withProof runs a request that may need the password, a code or both. It asks for the password only if the server
// requires the password, and for a code only if the server requires a code.
func (s *session) withProof(ctx context.Context, proof client.TOTPProof,
	request func(proof client.TOTPProof) error) error {
	for {
		err := request(proof)
		var refused *client.Error
		if !errors.As(err, &refused) {
			return err
		}
		switch {
		case refused.Code == "code_required" && proof.Code.IsZero():
			proof.Code, err = s.code(ctx, false, totpOrRecoveryQuestion)
		case refused.Code == "totp_password_required" && proof.CurrentPassword.IsZero():
			proof.CurrentPassword, err = s.passwordLine(ctx, nil, false, prompt.Hidden, "Current password: ")
		default:
			return err
		}
		if err != nil {
			return err
		}
	}
}

// withCode runs a request that may need a TOTP code or a recovery code. With --code-stdin, the first request contains
// the code. Otherwise, the first request contains no code, because most callers need none. If the server then requires
// a code, withCode asks for it and repeats the request.
func (s *session) withCode(ctx context.Context, fromStdin bool, request func(code client.Secret) error) error {
	if fromStdin {
		code, err := s.code(ctx, true, "")
		if err != nil {
			return err
		}
		return request(code)
	}
	err := request(client.Secret{})
	var refused *client.Error
	if !errors.As(err, &refused) || refused.Code != "code_required" {
		return err
	}
	code, err := s.code(ctx, false, totpOrRecoveryQuestion)
	if err != nil {
		return err
	}
	return request(code)
}

// ask asks a question at the terminal. Without a terminal, it returns a usage error. The last parameter is the advice
// in this error, for example the flag that scripts use. The question may contain names from the server, so control
// characters are replaced.
func ask(ctx context.Context, how func(context.Context, string) (string, error), question, instead string) (string,
	error) {
	answer, err := how(ctx, printable(question))
	if errors.Is(err, prompt.ErrNoTerminal) {
		return "", &usageError{fmt.Errorf("%w: use %s", err, instead)}
	}
	return answer, err
}

// addPasswordStdinFlag adds the flag with which scripts pass a password.
func addPasswordStdinFlag(command *cobra.Command, fromStdin *bool) {
	command.Flags().BoolVar(fromStdin, "password-stdin", false,
		"read the password from the first line of standard input")
}

// addCodeStdinFlag adds the flag with which scripts pass a code.
func addCodeStdinFlag(command *cobra.Command, fromStdin *bool) {
	command.Flags().BoolVar(fromStdin, "code-stdin", false, "read the code from the first line of standard input")
}
