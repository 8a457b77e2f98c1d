package terminal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
	"github.com/lockbox-go/lockbox/cmd/lockbox/profile"
	"github.com/lockbox-go/lockbox/cmd/lockbox/prompt"
)

type loginFlags struct {
	username             string
	passwordStdin, token bool
	code                 bool
}

func loginCommand(s *session) *cobra.Command {
	var flags loginFlags
	command := &cobra.Command{
		Use:   "login [URL]",
		Short: "Sign in to a server, and keep the token for the commands that follow",
		Long: `Sign in to a server, and keep the token in the folder for settings of this user, in a file that only this user can read.
The password and the code are asked for without showing them.

A profile is a server with whom you are there. Name one with --profile for each server that you use; the last one that you
signed in to is the current one.`,
		Example: `  lockbox login http://127.0.0.1:5000
  lockbox login https://lockbox.example.org --username anna --profile prod
  lockbox login --code                            # with a one-time code, for accounts that have no password
  lockbox login URL --username ci --password-stdin < password
  lockbox login URL --token-stdin < api-key       # keep an API key instead
  lockbox login URL --encryption-key-command 'pass show lockbox'`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			return s.login(command.Context(), args, flags)
		},
	}
	command.Flags().StringVarP(&flags.username, "username", "u", "", "who you are there; asked for otherwise")
	command.Flags().BoolVar(&flags.passwordStdin, "password-stdin", false,
		"read the password from standard input, one line")
	command.Flags().BoolVar(&flags.token, "token-stdin", false,
		"read an API key from standard input and keep it, instead of signing in")
	command.Flags().BoolVar(&flags.code, "code", false, "sign in with a one-time code, as users without a password do")
	command.MarkFlagsMutuallyExclusive("password-stdin", "token-stdin")
	command.MarkFlagsMutuallyExclusive("code", "token-stdin")
	s.key.flags(command)
	return command
}

func (s *session) login(ctx context.Context, args []string, flags loginFlags) error {
	if err := s.chooseToLogIn(args); err != nil {
		return err
	}
	file, err := keyFile(s.key.file)
	if err != nil {
		return err
	}
	nobody, err := s.connect("")
	if err != nil {
		return err
	}
	signedIn := profile.Profile{URL: nobody.URL()}
	if flags.token {
		err = s.keepToken(ctx, nobody, &signedIn)
	} else {
		err = s.signIn(ctx, nobody, flags, &signedIn)
	}
	if err != nil {
		return err
	}
	if sameServer(signedIn.URL, s.chosen.URL) {
		signedIn.EncryptionKeyFile, signedIn.EncryptionKeyCommand = s.chosen.EncryptionKeyFile, s.chosen.EncryptionKeyCommand
	}
	if s.key != (keySource{}) {
		signedIn.EncryptionKeyFile, signedIn.EncryptionKeyCommand = file, s.key.command
	}
	if err := s.keep(signedIn); err != nil {
		return err
	}
	s.say("Signed in to %s as %s.", signedIn.URL, signedIn.Username)
	if s.chosen.URL != "" && !sameServer(signedIn.URL, s.chosen.URL) {
		s.say("The profile %s was for %s until now; --profile gives each server one of its own.", s.name, s.chosen.URL)
	}
	if s.env("LOCKBOX_API_KEY") != "" || s.env("LOCKBOX_API_KEY_FILE") != "" {
		s.warn("LOCKBOX_API_KEY is set and counts before this profile, unless --profile names it")
	}
	return nil
}

// keyFile is a file as a profile keeps it: whole, or a later command would look for it in whatever folder it is run in, where
// somebody else may have put one.
func keyFile(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	return filepath.Abs(path)
}

// chooseToLogIn is choose for a profile that may not be there yet, and for a server that is named as an argument.
func (s *session) chooseToLogIn(args []string) error {
	flag := s.profileName
	asked := cmp.Or(flag, s.env("LOCKBOX_PROFILE"))
	if asked != "" {
		if err := profile.CheckName(asked); err != nil {
			return &usageError{err}
		}
	}
	s.profileName = ""
	if err := s.choose(); err != nil {
		return err
	}
	s.name = s.book.Choose(asked)
	s.chosen, s.profileName = s.book.Profiles[s.name], flag
	switch {
	case len(args) == 1:
		s.server = args[0]
	case s.url() == "": // a new profile, for the server that the environment names
		s.server = s.env("LOCKBOX_API_URL")
	}
	return nil
}

func (s *session) signIn(ctx context.Context, server *client.Client, flags loginFlags,
	into *profile.Profile) (err error) {
	with := client.Credentials{Username: flags.username}
	if with.Username == "" {
		if with.Username, err = ask(ctx, prompt.Line, "Username: ", "--username"); err != nil {
			return err
		}
	}
	into.Username = with.Username
	if flags.code {
		return s.signInWithCode(ctx, server, with, into)
	}
	var password string
	if flags.passwordStdin {
		password, err = prompt.FirstLine(s.input(ctx))
	} else {
		password, err = ask(ctx, prompt.Hidden, "Password: ", "--password-stdin")
	}
	if err != nil {
		return err
	}
	with.Password = client.NewSecret(password)
	session, err := server.SignIn(ctx, with)
	if errors.Is(err, client.ErrTOTPRequired) {
		var code string
		if code, err = ask(ctx, prompt.Hidden, "One-time code: ", "a terminal"); err != nil {
			return err
		}
		with.Code = client.NewSecret(code)
		session, err = server.SignIn(ctx, with)
	}
	if err != nil {
		return err
	}
	into.Token, into.ExpiresAt = session.Token.Reveal(), session.ExpiresAt
	return nil
}

// signInWithCode is for accounts of the requests under /api/v1. The password is asked for too, and may be empty.
func (s *session) signInWithCode(ctx context.Context, server *client.Client, with client.Credentials,
	into *profile.Profile) error {
	password, err := ask(ctx, prompt.Hidden, "Password (empty if there is none): ", "a terminal")
	if err != nil {
		return err
	}
	code, err := ask(ctx, prompt.Hidden, "One-time code: ", "a terminal")
	if err != nil {
		return err
	}
	with.Password, with.Code = client.NewSecret(password), client.NewSecret(code)
	pair, err := server.Accounts().SignIn(ctx, with)
	if err != nil {
		return err
	}
	into.Token, into.RefreshToken = pair.Access.Reveal(), pair.Refresh.Reveal()
	into.ExpiresAt = time.Now().Add(pair.ExpiresIn)
	return nil
}

// keepToken takes a token that somebody has, once the server has said whose it is.
func (s *session) keepToken(ctx context.Context, nobody *client.Client, into *profile.Profile) error {
	token, err := prompt.FirstLine(s.input(ctx))
	if err != nil {
		return err
	}
	who, err := nobody.WithToken(client.NewSecret(token)).WhoAmI(ctx)
	if err != nil {
		return err
	}
	into.Username, into.Token, into.ExpiresAt = who.Username, token, who.Token.ExpiresAt
	return nil
}

// keep makes a profile the current one.
func (s *session) keep(signedIn profile.Profile) error {
	path, err := profile.Path()
	if err != nil {
		return err
	}
	return profile.Change(path, func(book *profile.Book) error {
		book.Profiles[s.name], book.Current = signedIn, s.name
		return nil
	})
}

// ask asks at the terminal; where there is none, it says what to use instead.
func ask(ctx context.Context, how func(context.Context, string) (string, error), question, instead string) (string,
	error) {
	answer, err := how(ctx, printable(question)) // there may be a name of the server's in it
	if errors.Is(err, prompt.ErrNoTerminal) {
		return "", &usageError{fmt.Errorf("%w: use %s", err, instead)}
	}
	return answer, err
}
