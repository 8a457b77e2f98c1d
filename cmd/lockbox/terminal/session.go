package terminal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
	"github.com/lockbox-go/lockbox/cmd/lockbox/profile"
)

// session is the state that the commands share: the streams, the flags, and the server and profile that follow from
// them. One call of the program runs one command, so a session is used once. Its methods are in several files:
// session.go finds the server and the token, key.go the encryption key, ask.go the answers of the user, and
// output.go prints.
type session struct {
	in io.Reader
	// out receives results, and errs everything else.
	out, errs io.Writer
	userAgent string

	// The common flags.
	server, profileName, output string
	key                         keySource

	// The result of selectProfile.
	book     profile.Book
	selected profile.Profile
	name     string // of the selected profile
}

// newSession returns a session on the standard streams of the process.
func newSession(version string, out io.Writer) *session {
	return &session{
		in:        os.Stdin,
		out:       out,
		errs:      os.Stderr,
		userAgent: "lockbox/" + version,
	}
}

// addFlags adds the flags that every command of this package has.
func (s *session) addFlags(command *cobra.Command) {
	flags := command.PersistentFlags()
	flags.StringVar(&s.server, "server", "", "URL of the server (default: LOCKBOX_API_URL, or that of the profile)")
	flags.StringVar(&s.profileName, "profile", "",
		"profile to use; takes precedence over the environment and the current profile")
	flags.StringVarP(&s.output, "output", "o", formatTable, "output format: table or json")
	_ = command.RegisterFlagCompletionFunc("profile", s.completeProfiles)
	_ = command.RegisterFlagCompletionFunc("output",
		cobra.FixedCompletions([]string{formatTable, formatJSON}, cobra.ShellCompDirectiveNoFileComp))
}

// errSessionExpired means that the token of the profile has expired. The server is not called in that case.
var errSessionExpired = errors.New("your session expired")

// errNotSignedIn means that there is no token for the selected server.
var errNotSignedIn = errors.New("you are not signed in")

// run adapts a command's work to cobra: it opens the selected server, which requires a token, and passes it on.
func (s *session) run(work func(ctx context.Context, server *client.Client, args []string) error) func(*cobra.Command,
	[]string) error {
	return func(command *cobra.Command, args []string) error {
		server, err := s.open(command.Context())
		if err != nil {
			return err
		}
		return work(command.Context(), server, args)
	}
}

// open returns a client for the selected server, with the token that belongs to it. Flags take precedence over the
// environment, and the environment over the profile. The error wraps errNotSignedIn if there is no token.
func (s *session) open(ctx context.Context) (*client.Client, error) {
	if err := s.selectProfile(); err != nil {
		return nil, err
	}
	// This may refresh the session and rewrite the profile file.
	token, err := s.token(ctx)
	if err != nil {
		return nil, err
	}
	if token == "" {
		return nil, s.notSignedIn()
	}
	return s.connect(token)
}

// openOrAnonymous is open for requests that the server may accept without a token. Any other error of open, such as
// an invalid profile file, is returned.
func (s *session) openOrAnonymous(ctx context.Context) (*client.Client, error) {
	server, err := s.open(ctx)
	if errors.Is(err, errNotSignedIn) {
		return s.connect("")
	}
	return server, err
}

// connect returns a client for the selected server with a token, or without one for "". Plain HTTP to another
// machine is refused unless LOCKBOX_API_ALLOW_HTTP is "true", because it would expose tokens, keys and values.
func (s *session) connect(token string) (*client.Client, error) {
	if s.url() == "" {
		return nil, &usageError{errors.New("no server is configured: use lockbox login URL, or set LOCKBOX_API_URL")}
	}
	server, err := client.New(client.Config{
		URL:        s.url(),
		Token:      client.NewSecret(token),
		UserAgent:  s.userAgent,
		AllowHTTP:  s.env("LOCKBOX_API_ALLOW_HTTP") == "true",
		HTTPClient: s.httpClient(token),
	})
	if err != nil {
		return nil, &usageError{err}
	}
	return server, nil
}

// notSignedIn returns the error for a missing token. It names the server if that is probably not the one that the user
// expects: because of a misspelt LOCKBOX_PROFILE, or because a token exists but belongs to another server.
func (s *session) notSignedIn() error {
	if s.url() != "" {
		if _, err := s.connect(""); err != nil {
			return err // the address itself is invalid
		}
	}
	requested := s.env("LOCKBOX_PROFILE")
	switch _, exists := s.book.Profiles[s.name]; {
	case s.profileName == "" && requested != "" && !exists:
		return fmt.Errorf("%w: LOCKBOX_PROFILE is %q, but no such profile exists; lockbox profile list shows all "+
			"profiles", errNotSignedIn, requested)
	case s.profileName == "" && !s.environmentMatchesServer():
		return fmt.Errorf("%w to %s: the key in the environment is only for LOCKBOX_API_URL; use lockbox login %[2]s "+
			"--profile NAME", errNotSignedIn, s.url())
	case s.selected.SignedIn() && !sameServer(s.url(), s.selected.URL):
		return fmt.Errorf("%w to %s: the profile %s is only for %s; use lockbox login %[2]s --profile NAME, or set "+
			"LOCKBOX_API_KEY", errNotSignedIn, s.url(), s.name, s.selected.URL)
	}
	return fmt.Errorf("%w: use lockbox login, or set LOCKBOX_API_URL and LOCKBOX_API_KEY", errNotSignedIn)
}

// selectProfile checks --output, reads the profile file and selects the profile that the flag, the environment or the
// file names. A profile that only the environment or the file names need not exist.
func (s *session) selectProfile() error {
	if s.output != formatTable && s.output != formatJSON {
		return &usageError{fmt.Errorf("invalid --output %q: use table or json", s.output)}
	}
	path, err := profile.Path()
	if err != nil {
		s.name = profile.Default // without a home directory, a program still has the environment
		return nil
	}
	if s.book, err = profile.Load(path); err != nil {
		return err
	}
	s.name = s.book.Choose(cmp.Or(s.profileName, s.env("LOCKBOX_PROFILE")))
	selected, exists := s.book.Profiles[s.name]
	if s.profileName != "" && !exists {
		return &usageError{fmt.Errorf("profile %q does not exist: lockbox login --profile %[1]s creates it",
			s.profileName)}
	}
	s.selected = selected
	return nil
}

// url is the URL of the selected server, or "" if none is configured. It does not check the URL; the package client
// does.
func (s *session) url() string {
	if s.server != "" {
		return s.server
	}
	// --profile takes precedence over LOCKBOX_API_URL, because it names a server as well.
	if s.profileName != "" {
		return s.selected.URL
	}
	return cmp.Or(s.env("LOCKBOX_API_URL"), s.selected.URL)
}

// environmentMatchesServer reports whether the token and the encryption key of the environment may be sent to the
// selected server. They may not if LOCKBOX_API_URL names another server, which --server or --profile overrides: that
// server could keep them.
func (s *session) environmentMatchesServer() bool {
	configured := s.env("LOCKBOX_API_URL")
	return configured == "" || sameServer(configured, s.url())
}

// token returns the token for the selected server, or "". A token of the environment is sent only to the server of
// the environment, and a token of a profile only to the server of that profile. It refreshes the session of the
// profile if its token is about to expire.
func (s *session) token(ctx context.Context) (string, error) {
	if s.profileName == "" && s.environmentMatchesServer() {
		token, err := s.environmentOrFile("LOCKBOX_API_KEY")
		if token != "" || err != nil {
			return token, err
		}
	}
	// The caller distinguishes this from other errors and explains it; see notSignedIn.
	if !s.selected.SignedIn() || !sameServer(s.url(), s.selected.URL) {
		return "", nil
	}
	switch {
	case s.selected.RefreshToken != "" && time.Until(s.selected.ExpiresAt) < refreshBefore:
		return s.refresh(ctx)
	case tokenExpired(s.selected):
		return "", fmt.Errorf("%w at %s: sign in again with lockbox login%s", errSessionExpired,
			formatTime(s.selected.ExpiresAt), s.profileFlag())
	}
	return s.selected.Token, nil
}

// profileFlag returns the flag that makes a suggested command use the selected profile, or "" if it does so anyway.
func (s *session) profileFlag() string {
	if s.name == cmp.Or(s.book.Current, profile.Default) {
		return ""
	}
	return " --profile " + s.name
}

// The times of a refresh.
const (
	// refreshBefore is the remaining lifetime at which a token is refreshed, so that it does not expire on its way.
	refreshBefore = time.Minute
	// refreshTimeout limits a refresh. Neither Ctrl-C nor the timeout of a completion cancels one: as soon as the
	// server has the request, the old token is invalid, and the new one must be stored.
	refreshTimeout = 10 * time.Second
)

// refresh exchanges the refresh token of the profile for a new token and returns it. It holds the lock of the profile
// file, because the server revokes the whole session if a refresh token is used twice. If another process has already
// refreshed the session, refresh returns the token that it stored.
func (s *session) refresh(ctx context.Context) (string, error) {
	// A cancelled refresh could lose the new token and with it the session.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refreshTimeout)
	defer cancel()
	path, err := profile.Path()
	if err != nil {
		return "", err
	}
	err = profile.Change(path, func(book *profile.Book) error {
		stored := book.Profiles[s.name]
		if stored.RefreshToken != "" && stored.RefreshToken == s.selected.RefreshToken {
			anonymous, err := s.connect("")
			if err != nil {
				return err
			}
			pair, err := anonymous.Accounts().Refresh(ctx, client.NewSecret(stored.RefreshToken))
			if err != nil {
				return err
			}
			stored.Token, stored.RefreshToken = pair.Access.Reveal(), pair.Refresh.Reveal()
			stored.ExpiresAt = time.Now().Add(pair.ExpiresIn)
			book.Profiles[s.name] = stored
		}
		s.selected = stored
		return nil
	})
	return s.selected.Token, err
}
