package terminal

import (
	"cmp"
	"context"
	"errors"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
	"github.com/lockbox-go/lockbox/cmd/lockbox/profile"
	"github.com/lockbox-go/lockbox/cmd/lockbox/prompt"
)

// loginFlags are the flags of lockbox login.
type loginFlags struct {
	// If username is "", the command asks for the user name.
	username string
	// If passwordStdin is true, the command reads the password from standard input.
	passwordStdin bool
	// If token is true, the command stores an API key or a session token from standard input instead of signing in.
	token bool
	// If code is true, the command signs in with a TOTP code, over the accounts API.
	code bool
	// If replace is true, the command may replace an API key in the profile.
	replace bool
	// If acceptInstallation is true, the command accepts a new installation at a known URL, and a new URL of a known
	// installation.
	acceptInstallation bool
}

// loginCommand signs in to a server and saves a profile. If the password or the code is wrong, the profile stays
// unchanged and the exit code is exitUnauthenticated. A session that began with a password is not refreshed. By
// default, it lasts seven days. A session that began with --code is refreshed for up to 30 days. --token-stdin accepts
// API keys and session tokens.
func loginCommand(s *session) *cobra.Command {
	var flags loginFlags
	command := &cobra.Command{
		Use:   "login [URL]",
		Short: "Sign in to a server and store the token for later commands",
		Long: `Sign in to a server and store the token for later commands, in a file in your configuration directory
that only you can read. The password and the TOTP code are not shown while you type them.

A profile is a server and your account there. If you use several servers, give each a profile with --profile. The
profile that you signed in to last is the current one.

The command does not overwrite an API key in a profile, because the key would stay valid but would be stored nowhere.
It does overwrite a key that the server refuses.
--replace overwrites the key and revokes it on the server. The server refuses to revoke the last API key of a user;
in that case, the command prints the id of the key.

At a terminal, the command offers to create your identity, or to unlock it on this machine. If you decline, the
command does not ask again in this profile. See lockbox identity.`,
		Example: `  lockbox login http://127.0.0.1:5000
  lockbox login https://lockbox.example.org --username anna --profile prod
  lockbox login --code                            # with a TOTP code, for accounts without a password
  lockbox login URL --username ci --password-stdin < password
  lockbox login URL --token-stdin < api-key       # store an API key instead
  lockbox login URL --encryption-key-command 'pass show lockbox'`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			return s.login(command.Context(), args, flags)
		},
	}
	command.Flags().StringVarP(&flags.username, "username", "u", "",
		"your user name on the server; without this flag, the command asks for the name")
	addPasswordStdinFlag(command, &flags.passwordStdin)
	command.Flags().BoolVar(&flags.token, "token-stdin", false,
		"store an API key from standard input instead of signing in")
	command.Flags().BoolVar(&flags.code, "code", false, "sign in with a TOTP code, for accounts without a password")
	addReplaceFlag(command, &flags.replace)
	command.Flags().BoolVar(&flags.acceptInstallation, "accept-installation", false,
		"accept a new installation at a known URL, or a new URL of a known installation")
	command.MarkFlagsMutuallyExclusive("password-stdin", "token-stdin")
	command.MarkFlagsMutuallyExclusive("code", "token-stdin")
	s.key.addFlags(command)
	return command
}

// login implements loginCommand. The profile may contain the location of an encryption key. If the profile was for
// another server, login removes this location, because the key must not be sent to the new server.
func (s *session) login(ctx context.Context, args []string, flags loginFlags) error {
	if err := s.selectProfileForLogin(args); err != nil {
		return err
	}
	// Resolve the path before signing in, so that a failure leaves the profile unchanged.
	keyFile, err := absoluteKeyFile(s.key.file)
	if err != nil {
		return err
	}
	anonymous, err := s.connect("")
	if err != nil {
		return err
	}
	signedIn := profile.Profile{URL: anonymous.URL()}
	flags.replace = flags.replace || s.holdsRevokedKey(ctx)
	if flags.token {
		err = s.verifyToken(ctx, anonymous, flags.replace, &signedIn)
	} else if err = s.prepareProfile(flags.replace); err == nil {
		err = s.signIn(ctx, anonymous, flags, &signedIn)
	}
	if err != nil {
		return err
	}
	// Keep the location of the key if the profile is still for the same server.
	if sameServer(signedIn.URL, s.selected.URL) {
		signedIn.EncryptionKeyFile = s.selected.EncryptionKeyFile
		signedIn.EncryptionKeyCommand = s.selected.EncryptionKeyCommand
		if strings.EqualFold(signedIn.Username, s.selected.Username) {
			signedIn.IdentityDeclined, signedIn.Grant = s.selected.IdentityDeclined, s.selected.Grant
		}
	}
	// Store the location of the key. Signing in itself needs no key.
	if s.key != (keySource{}) {
		signedIn.EncryptionKeyFile, signedIn.EncryptionKeyCommand = keyFile, s.key.command
	}
	if err := s.saveProfile(signedIn); err != nil {
		return err
	}
	s.revokeReplaced(ctx, s.selected, signedIn.Token)
	s.reportSignedIn(signedIn)
	server := anonymous.WithToken(client.NewSecret(signedIn.Token))
	if flags.acceptInstallation {
		if err := s.acceptInstallation(ctx, server); err != nil {
			return err
		}
	}
	// Only a session that began with a password can create or unlock an identity.
	if flags.token || flags.code || flags.passwordStdin {
		return nil
	}
	return s.offerIdentity(ctx, server, signedIn.Username)
}

// reportSignedIn reports a login. It warns if the profile was for another server, or if LOCKBOX_API_KEY takes
// precedence over the profile. The warning about LOCKBOX_API_KEY is printed in scripts too, because a script would
// otherwise run as another user without notice.
func (s *session) reportSignedIn(signedIn profile.Profile) {
	s.report("Signed in to %s as %s.", signedIn.URL, signedIn.Username)
	// Warn the user, because the old token is no longer stored anywhere.
	if s.selected.URL != "" && !sameServer(signedIn.URL, s.selected.URL) {
		s.report("The profile %s no longer refers to %s. Use --profile to give each server its own profile.", s.name,
			s.selected.URL)
	}
	if s.env("LOCKBOX_API_KEY") != "" || s.env("LOCKBOX_API_KEY_FILE") != "" {
		s.warn("LOCKBOX_API_KEY is set and takes precedence over this profile, unless a command uses --profile")
	}
}

// absoluteKeyFile returns the absolute path of a key file, or "" for "". A later command can run in another working
// directory. With a relative path, that command could read a file that another user placed there.
func absoluteKeyFile(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	return filepath.Abs(path)
}

// selectProfileForLogin replaces selectProfile in commands that sign in. The profile need not exist yet, and args may
// contain the URL of the server.
func (s *session) selectProfileForLogin(args []string) error {
	// Save the value of --profile and restore it below. Other functions need the value to give the flag precedence over
	// the environment.
	flag := s.profileName
	requested := cmp.Or(flag, s.env("LOCKBOX_PROFILE"))
	if requested != "" {
		if err := profile.CheckName(requested); err != nil {
			return &usageError{err}
		}
	}
	s.profileName = "" // selectProfile rejects a flag that names no existing profile
	if err := s.selectProfile(); err != nil {
		return err
	}
	s.name = s.book.Choose(requested)
	s.selected, s.profileName = s.book.Profiles[s.name], flag
	switch {
	case len(args) == 1:
		s.server = args[0]
	case s.url() == "": // a new profile for the server that the environment names
		s.server = s.env("LOCKBOX_API_URL")
	}
	return nil
}

// signIn signs in and stores the token in the profile. With --code, it uses the accounts API; see signInWithCode.
// Otherwise, it uses a password; see signInWithPassword.
func (s *session) signIn(ctx context.Context, server *client.Client, flags loginFlags,
	into *profile.Profile) (err error) {
	credentials := client.Credentials{Username: flags.username}
	if credentials.Username == "" {
		if credentials.Username, err = ask(ctx, prompt.Line, "Username: ", "--username"); err != nil {
			return err
		}
	}
	into.Username = credentials.Username
	// The accounts API has its own sessions, and only these sessions have a refresh token.
	if flags.code {
		return s.signInWithCode(ctx, server, credentials, into)
	}
	credentials.Password, err = s.secret(ctx, secretQuestion{
		fromStdin: flags.passwordStdin,
		in:        s.input(ctx),
		ask:       prompt.Hidden,
		text:      "Password: ",
		flag:      "--password-stdin",
	})
	if err != nil {
		return err
	}
	session, err := s.signInWithPassword(ctx, server, &credentials)
	if err != nil {
		return err
	}
	into.Token, into.ExpiresAt = session.Token.Reveal(), session.ExpiresAt
	return nil
}

// signInWithPassword signs in with a password. It asks for a TOTP code if the server requires one. The server checks
// the password first, and requires a code only if the password is correct.
func (s *session) signInWithPassword(ctx context.Context, server *client.Client,
	credentials *client.Credentials) (*client.Session, error) {
	session, err := server.SignIn(ctx, *credentials)
	if !errors.Is(err, client.ErrTOTPRequired) {
		return session, err
	}
	code, err := ask(ctx, prompt.Hidden, totpQuestion, "a terminal")
	if err != nil {
		return nil, err
	}
	credentials.Code = client.NewSecret(code)
	return server.SignIn(ctx, *credentials)
}

// signInWithCode signs in over the accounts API (/api/v1), where an account can have TOTP codes but no password. It
// asks for a password, which may be empty, and a code. It stores the access token and the refresh token of the session.
// Later commands use the refresh token to replace an expired access token.
func (s *session) signInWithCode(ctx context.Context, server *client.Client, credentials client.Credentials,
	into *profile.Profile) error {
	password, err := ask(ctx, prompt.Hidden, "Password (empty if there is none): ", "a terminal")
	if err != nil {
		return err
	}
	code, err := ask(ctx, prompt.Hidden, totpQuestion, "a terminal")
	if err != nil {
		return err
	}
	credentials.Password, credentials.Code = client.NewSecret(password), client.NewSecret(code)
	pair, err := server.Accounts().SignIn(ctx, credentials)
	if err != nil {
		return err
	}
	into.Token, into.RefreshToken = pair.Access.Reveal(), pair.Refresh.Reveal()
	// The response contains the lifetime of the token but no expiry time, so compute the expiry time with the local
	// clock.
	into.ExpiresAt = time.Now().Add(pair.ExpiresIn)
	return nil
}

// verifyToken reads an API key or a session token from standard input. If the server accepts the token, verifyToken
// stores it in the profile. The user name in the profile comes from the server, and not from --username. If the profile
// already contains the same token, the caller does not need --replace.
func (s *session) verifyToken(ctx context.Context, anonymous *client.Client, replace bool,
	into *profile.Profile) error {
	token, err := prompt.FirstLine(s.input(ctx))
	if err == nil {
		err = s.prepareProfile(replace || token == s.selected.Token)
	}
	if err != nil {
		return err
	}
	who, err := anonymous.WithToken(client.NewSecret(token)).WhoAmI(ctx)
	if err != nil {
		return err
	}
	// The expiry time comes from the server. It is zero for a token that never expires.
	into.Username, into.Token, into.ExpiresAt = who.Username, token, who.Token.ExpiresAt
	if who.Token.Kind == apiKeyKind {
		into.APIKeyID = who.Token.ID
	}
	return nil
}

// apiKeyKind is the kind of an API key in a client.TokenInfo.
const apiKeyKind = "api-key"

// saveProfile writes a profile under the selected name and makes it the current one.
func (s *session) saveProfile(signedIn profile.Profile) error {
	path, err := profile.Path()
	if err != nil {
		return err
	}
	return profile.Change(path, func(book *profile.Book) error {
		book.Profiles[s.name], book.Current = signedIn, s.name
		return nil
	})
}
