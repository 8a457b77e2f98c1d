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

type initFlags struct {
	username      string
	passwordStdin bool
	tokenFile     string
}

func initCommand(s *session) *cobra.Command {
	var flags initFlags
	command := &cobra.Command{
		Use:   "init URL",
		Short: "Become the owner of a new server, once ever",
		Long: `Become the owner of a server that has none yet. An API key of the owner is kept as the profile, as lockbox login keeps a
token. The password is asked for twice; it signs you in from elsewhere.

A server with an init token shows it in its log; give it in a file, or type it where it is asked for.`,
		Example: `  lockbox init http://127.0.0.1:5000
  lockbox init https://lockbox.example.org --username root --init-token-file init-token`,
		Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			return s.initialize(command.Context(), args, flags)
		},
	}
	command.Flags().StringVarP(&flags.username, "username", "u", "root", "the owner's name")
	command.Flags().BoolVar(&flags.passwordStdin, "password-stdin", false,
		"read the password from standard input, one line")
	command.Flags().StringVar(&flags.tokenFile, "init-token-file", "", "read the server's init token from this file")
	return command
}

func (s *session) initialize(ctx context.Context, args []string, flags initFlags) error {
	if err := s.chooseToLogIn(args); err != nil {
		return err
	}
	nobody, err := s.connect("")
	if err != nil {
		return err
	}
	owner := client.FirstUser{Username: flags.username}
	if flags.tokenFile != "" {
		token, err := os.ReadFile(flags.tokenFile)
		if err != nil {
			return fmt.Errorf("the init token cannot be read: %w", err)
		}
		owner.InitToken = client.NewSecret(oneLine(token))
	}
	var password string
	if flags.passwordStdin {
		password, err = prompt.FirstLine(s.input(ctx))
	} else {
		password, err = ask(ctx, prompt.New, "Password of "+flags.username+": ", "--password-stdin")
	}
	if err != nil {
		return err
	}
	owner.Password = client.NewSecret(password)
	key, err := s.becomeOwner(ctx, nobody, owner)
	if err != nil {
		return err
	}
	if err := s.keep(profile.Profile{URL: nobody.URL(), Username: flags.username, Token: key.Reveal()}); err != nil {
		return err
	}
	s.say("You are %s, the owner of %s.", flags.username, nobody.URL())
	return nil
}

// becomeOwner asks for the init token where the server turns out to want one.
func (s *session) becomeOwner(ctx context.Context, nobody *client.Client, owner client.FirstUser) (client.Secret,
	error) {
	key, err := nobody.Initialize(ctx, owner)
	refused, _ := errors.AsType[*client.Error](err)
	if refused == nil || refused.Code != "init_token_required" || !owner.InitToken.IsZero() || !prompt.Possible() {
		return key, err
	}
	token, err := prompt.Hidden(ctx, "Init token, from the server's log: ")
	if err != nil {
		return client.Secret{}, err
	}
	owner.InitToken = client.NewSecret(token)
	return nobody.Initialize(ctx, owner)
}
