package terminal

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
	"github.com/lockbox-go/lockbox/cmd/lockbox/profile"
	"github.com/lockbox-go/lockbox/cmd/lockbox/prompt"
)

// initFlags are the flags of lockbox init.
type initFlags struct {
	username string
	// If passwordStdin is true, the command reads the password from standard input.
	passwordStdin bool
	// passwordFile is the path of a file that contains the password, or "". Containers mount secrets as files.
	passwordFile string
	// If ifNeeded is true and the server already has an owner, the command succeeds and changes nothing.
	ifNeeded bool
	// tokenFile is the path of a file that contains the server's init token, or "".
	tokenFile string
	// If replace is true, the command may replace an API key in the profile.
	replace bool
}

// initCommand initializes a server (POST /init). The exit code is exitConflict if the server has an owner, and
// exitUnauthenticated if the init token is missing or wrong. In both cases the profile stays unchanged. The stored
// API key never expires, so the owner stays signed in on this machine.
func initCommand(s *session) *cobra.Command {
	var flags initFlags
	command := &cobra.Command{
		Use:   "init URL",
		Short: "Become the owner of a new server",
		Long: `Become the owner of a server that has no owner yet. This works once per server. The command stores an
API key of the owner in the profile. Later commands use this key, which never expires. The command asks twice for a
password; use the password to sign in from other machines.

At a terminal, the command then offers to create your identity; see lockbox identity.

If the server has an init token, its log contains the token. Pass the token in a file, or type it when the command
asks.

With --if-needed, the command can run again and again, for example as a Kubernetes Job: it exits with 0 if the server
already has an owner, and changes nothing.`,
		Example: `  lockbox init http://127.0.0.1:5000
  lockbox init https://lockbox.example.org --username root --init-token-file init-token
  lockbox init https://lockbox.example.org --if-needed --password-file password --init-token-file init-token`,
		Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			return s.initialize(command.Context(), args, flags)
		},
	}
	// root is the name that the documentation uses for the owner.
	command.Flags().StringVarP(&flags.username, "username", "u", "root", "name of the owner")
	addPasswordStdinFlag(command, &flags.passwordStdin)
	command.Flags().StringVar(&flags.passwordFile, "password-file", "",
		"read the password from the first line of this file")
	command.MarkFlagsMutuallyExclusive("password-stdin", "password-file")
	command.Flags().BoolVar(&flags.ifNeeded, "if-needed", false, "exit with code 0 if the server already has an owner")
	addReplaceFlag(command, &flags.replace)
	command.Flags().StringVar(&flags.tokenFile, "init-token-file", "", "read the server's init token from this file")
	return command
}

// initialize implements initCommand. It checks the server before it asks for a password, because the most common
// failure is a server that already has an owner.
func (s *session) initialize(ctx context.Context, args []string, flags initFlags) error {
	if err := s.selectProfileForLogin(args); err != nil {
		return err
	}
	anonymous, err := s.connect("")
	if err != nil {
		return err
	}
	owner := client.FirstUser{Username: flags.username}
	if flags.tokenFile != "" {
		token, err := os.ReadFile(flags.tokenFile)
		if err != nil {
			return fmt.Errorf("cannot read the init token: %w", err)
		}
		owner.InitToken = client.NewSecret(trimNewline(token))
	}
	if err := checkUninitialized(ctx, anonymous, &owner); err != nil {
		if refused, found := errors.AsType[*client.Error](err); found && flags.ifNeeded &&
			refused.Code == "already_initialized" {
			s.report("%s already has an owner. Changed nothing.", anonymous.URL())
			return nil
		}
		return err
	}
	if err := s.prepareProfile(flags.replace); err != nil {
		return err
	}
	owner.Password, err = s.ownerPassword(ctx, flags)
	if err != nil {
		return err
	}
	key, err := anonymous.Initialize(ctx, owner)
	if err != nil {
		return err
	}
	if err := s.saveOwner(ctx, anonymous, flags.username, key); err != nil {
		return err
	}
	if flags.passwordStdin || flags.passwordFile != "" || s.output == formatJSON || !prompt.Possible() {
		return nil
	}
	// Only a session that began with a password can create an identity. The API key cannot.
	session, err := anonymous.SignIn(ctx, client.Credentials{Username: flags.username, Password: owner.Password})
	if err != nil {
		return nil //nolint:nilerr // the server has its owner; lockbox identity create asks again
	}
	return s.offerIdentity(ctx, anonymous.WithToken(session.Token), flags.username)
}

// ownerPassword returns the password from a file or standard input, or asks for it.
func (s *session) ownerPassword(ctx context.Context, flags initFlags) (client.Secret, error) {
	question := secretQuestion{
		fromStdin: flags.passwordStdin,
		in:        s.input(ctx),
		ask:       prompt.New,
		text:      "Password for " + flags.username + ": ",
		flag:      "--password-stdin",
	}
	if flags.passwordFile != "" {
		file, err := os.Open(flags.passwordFile)
		if err != nil {
			return client.Secret{}, fmt.Errorf("cannot read the password: %w", err)
		}
		defer func() { _ = file.Close() }()
		question.fromStdin, question.in = true, file
	}
	return s.secret(ctx, question)
}

// saveOwner stores the API key of a new owner in the profile.
func (s *session) saveOwner(ctx context.Context, anonymous *client.Client, username string, key client.Secret) error {
	// Store the URL in the normalized form that the client returns, so that two spellings of the same URL compare as
	// equal.
	signedIn := profile.Profile{URL: anonymous.URL(), Username: username, Token: key.Reveal()}
	// Later commands need the id to replace or delete the key. Requests do not need it.
	if who, err := anonymous.WithToken(key).WhoAmI(ctx); err == nil {
		signedIn.APIKeyID = who.Token.ID
	}
	if err := s.saveProfile(signedIn); err != nil {
		return err
	}
	s.revokeReplaced(ctx, s.selected, signedIn.Token)
	s.report("Initialized %s with the owner %s. Stored an API key in the profile %s.", anonymous.URL(), username,
		s.name)
	return nil
}

// checkUninitialized returns nil if the server has no owner yet and accepts the init token. For this test, it sends an
// initialization that contains neither a name nor a password. A server without an owner always refuses such a request
// as invalid. If the server requires an init token and none was given, checkUninitialized asks for the token and tries
// once more. Without a terminal, it returns the server's error. The printed message then recommends --init-token-file.
func checkUninitialized(ctx context.Context, anonymous *client.Client, owner *client.FirstUser) error {
	_, err := anonymous.Initialize(ctx, client.FirstUser{InitToken: owner.InitToken})
	refused, _ := errors.AsType[*client.Error](err)
	switch {
	case refused == nil:
		return err
	// Status 0 means that the client refused the input, for example an init token with a line end.
	case refused.Status != 0 && errors.Is(refused, client.ErrInvalid):
		return nil
	case refused.Code != "init_token_required" || !owner.InitToken.IsZero() || !prompt.Possible():
		return err
	}
	token, err := prompt.Hidden(ctx, "Init token (from the server log): ")
	if err != nil {
		return err
	}
	owner.InitToken = client.NewSecret(token)
	if owner.InitToken.IsZero() {
		return refused
	}
	return checkUninitialized(ctx, anonymous, owner)
}
