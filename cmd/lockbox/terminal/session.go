package terminal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
	"github.com/lockbox-go/lockbox/client/keys"
	"github.com/lockbox-go/lockbox/cmd/lockbox/profile"
)

// session is the state that the commands share: the streams, the flags, and the selected server and profile. One call
// of the program runs one command, so a session is used once. Its methods are in several files. session.go selects the
// server and the token. key.go obtains the encryption key. holder.go opens the identity and the keyrings. ask.go asks
// the user, and output.go prints.
type session struct {
	in io.Reader
	// out receives the results of commands. errs receives everything else, such as warnings.
	out, errs io.Writer
	userAgent string

	// The common flags.
	server, profileName, output string
	key                         keySource

	// The result of selectProfile.
	book     profile.Book
	selected profile.Profile
	name     string // of the selected profile
	// profileErr is the error of reading the profile file, or nil. A command returns this error only if it needs the
	// file. If the environment contains the server and the token, a command does not need the file.
	profileErr error
	// usesProfile is true if requests carry the token of the profile. usesEnvironment is true if requests carry the
	// token of the environment.
	usesProfile, usesEnvironment bool

	// unlocked stores the result of the method holder. This field is valid only if holderKnown is true.
	unlocked    *keys.Holder
	holderKnown bool
	// defaultKey is the encryption key for boxes without a keyring. It is zero until a command has obtained the key.
	defaultKey client.EncryptionKey
}

// newSession returns a session that uses the standard streams of the process.
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
	flags.StringVar(&s.server, "server", "", "URL of the server (default: LOCKBOX_API_URL, or the URL in the profile)")
	flags.StringVar(&s.profileName, "profile", "",
		"profile to use; this flag takes precedence over the environment and the current profile")
	flags.StringVarP(&s.output, "output", "o", formatTable, "output format: table or json")
	_ = command.RegisterFlagCompletionFunc("profile", s.completeProfiles)
	_ = command.RegisterFlagCompletionFunc("output",
		cobra.FixedCompletions([]string{formatTable, formatJSON}, cobra.ShellCompDirectiveNoFileComp))
}

// errNotSignedIn means that there is no token for the selected server.
var errNotSignedIn = errors.New("you are not signed in")

// run returns a function for cobra that opens the selected server and calls the function work with the client. It
// requires a token.
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

// open returns a client for the selected server, with the token for this server. Flags take precedence over the
// environment, and the environment takes precedence over the profile. The error wraps errNotSignedIn if there is no
// token.
func (s *session) open(ctx context.Context) (*client.Client, error) {
	if err := s.selectProfile(); err != nil {
		return nil, err
	}
	// The method token may refresh the session and rewrite the profile file.
	token, err := s.token(ctx)
	if err != nil {
		return nil, err
	}
	if token == "" {
		return nil, s.notSignedIn()
	}
	return s.connect(token)
}

// openOrAnonymous does the same as open, but if there is no token, it returns a client without a token instead of an
// error. Use it for requests that a server can accept without a token. It returns every other error of open, for
// example about an invalid profile file.
func (s *session) openOrAnonymous(ctx context.Context) (*client.Client, error) {
	server, err := s.open(ctx)
	if errors.Is(err, errNotSignedIn) {
		return s.connect("")
	}
	return server, err
}

// connect returns a client that sends a token to the selected server. If token is empty, the client sends none. Plain
// HTTP to another machine would expose tokens, keys and values. connect therefore refuses it, except if
// LOCKBOX_API_ALLOW_HTTP is true.
func (s *session) connect(token string) (*client.Client, error) {
	if s.url() == "" {
		if s.profileErr != nil {
			return nil, s.profileErr // the file may name the server
		}
		return nil, &usageError{errors.New("no server is configured: use lockbox login URL, or set LOCKBOX_API_URL")}
	}
	allowHTTP, err := s.allowHTTP()
	if err != nil {
		return nil, err
	}
	server, err := client.New(client.Config{
		URL:        s.url(),
		Token:      client.NewSecret(token),
		UserAgent:  s.userAgent,
		AllowHTTP:  allowHTTP,
		HTTPClient: s.httpClient(token),
	})
	if err != nil {
		return nil, &usageError{err}
	}
	return server, nil
}

// allowHTTP returns the value of LOCKBOX_API_ALLOW_HTTP, or false if the variable is not set. It accepts the same
// spellings of true and false as the package client, and returns a usage error for any other text.
func (s *session) allowHTTP() (bool, error) {
	text := s.env("LOCKBOX_API_ALLOW_HTTP")
	if text == "" {
		return false, nil
	}
	allowed, err := strconv.ParseBool(text)
	if err != nil {
		return false, &usageError{errors.New("LOCKBOX_API_ALLOW_HTTP must be true or false")}
	}
	return allowed, nil
}

// notSignedIn returns the error for a missing token. If possible, the error names the probable cause: LOCKBOX_PROFILE
// is misspelt, several profiles exist for the server, or the existing token is for another server.
func (s *session) notSignedIn() error {
	if s.url() != "" {
		if _, err := s.connect(""); err != nil {
			return err // the address itself is invalid
		}
	}
	requested := s.env("LOCKBOX_PROFILE")
	switch _, exists := s.book.Profiles[s.name]; {
	case s.profileName == "" && requested != "" && !exists:
		return fmt.Errorf("%w: LOCKBOX_PROFILE is %q, but no such profile exists; "+
			"lockbox profile list shows all profiles", errNotSignedIn, requested)
	case s.profileName == "" && !s.environmentMatchesServer():
		return fmt.Errorf("%w to %s: "+
			"LOCKBOX_API_KEY is only for the server in LOCKBOX_API_URL; "+
			"use lockbox login %[2]s --profile NAME", errNotSignedIn, s.url())
	case s.profileName == "" && requested == "" && len(s.profilesFor(s.url())) > 1:
		return fmt.Errorf("%w to %s: "+
			"several profiles are for this server; choose one with --profile: %s",
			errNotSignedIn, s.url(), strings.Join(s.profilesFor(s.url()), ", "))
	case s.selected.SignedIn() && !sameServer(s.url(), s.selected.URL):
		return fmt.Errorf("%w to %s: "+
			"the profile %s is only for %s; "+
			"use lockbox login %[2]s --profile NAME, or set LOCKBOX_API_KEY",
			errNotSignedIn, s.url(), s.name, s.selected.URL)
	}
	return fmt.Errorf("%w: use lockbox login, or set LOCKBOX_API_URL and LOCKBOX_API_KEY", errNotSignedIn)
}

// selectProfile checks --output, reads the profile file and selects a profile. If --profile or LOCKBOX_PROFILE names a
// profile, selectProfile selects this profile. Otherwise, it selects the profile that nameForServer returns. If
// --profile names a profile that does not exist, selectProfile returns an error. If the file cannot be read,
// selectProfile stores the error in profileErr, and returns it only if --profile is given.
func (s *session) selectProfile() error {
	if s.output = strings.ToLower(s.output); s.output != formatTable && s.output != formatJSON {
		return &usageError{fmt.Errorf("invalid --output %q: use table or json", s.output)}
	}
	path, err := profile.Path()
	if err == nil {
		s.book, s.profileErr = profile.Load(path)
		err = s.profileErr
	}
	// profile.Path fails if the user has no configuration directory. In this case, there is no profile file, and
	// profileErr stays nil.
	if err != nil && s.profileName != "" {
		return err
	}
	requested := cmp.Or(s.profileName, s.env("LOCKBOX_PROFILE"))
	s.name = s.book.Choose(requested)
	if requested == "" {
		s.name = s.nameForServer(s.name)
	}
	selected, exists := s.book.Profiles[s.name]
	if s.profileName != "" && !exists {
		return &usageError{fmt.Errorf("profile %q does not exist: lockbox login --profile %[1]s creates it",
			s.profileName)}
	}
	s.selected = selected
	return nil
}

// nameForServer returns the name of the profile to use if neither --profile nor LOCKBOX_PROFILE names one. The argument
// current is the name of the current profile. If --server or LOCKBOX_API_URL names a different server than the current
// profile, nameForServer searches for a profile for the named server. If profilesFor finds exactly one, nameForServer
// returns its name. In all other cases, it returns current.
func (s *session) nameForServer(current string) string {
	wanted := cmp.Or(s.server, s.env("LOCKBOX_API_URL"))
	if wanted == "" || sameServer(wanted, s.book.Profiles[current].URL) {
		return current
	}
	if names := s.profilesFor(wanted); len(names) == 1 {
		return names[0]
	}
	return current
}

// profilesFor returns the sorted names of the profiles for a server. If at least one of these profiles is signed in, it
// returns only the profiles that are signed in.
func (s *session) profilesFor(url string) []string {
	var all, signedIn []string
	for _, name := range s.book.Names() {
		stored := s.book.Profiles[name]
		if !sameServer(stored.URL, url) {
			continue
		}
		all = append(all, name)
		if stored.SignedIn() {
			signedIn = append(signedIn, name)
		}
	}
	if len(signedIn) > 0 {
		return signedIn
	}
	return all
}

// url returns the URL of the selected server, or "" if none is configured. The package client checks the URL.
func (s *session) url() string {
	if s.server != "" {
		return s.server
	}
	// --profile takes precedence over LOCKBOX_API_URL, because a profile also contains the URL of a server.
	if s.profileName != "" {
		return s.selected.URL
	}
	return cmp.Or(s.env("LOCKBOX_API_URL"), s.selected.URL)
}

// environmentMatchesServer reports whether the token and the encryption key of the environment may be sent to the
// selected server. If --server or --profile selects a different server than LOCKBOX_API_URL, the token and the key must
// not be sent, because the selected server could store them.
func (s *session) environmentMatchesServer() bool {
	configured := s.env("LOCKBOX_API_URL")
	return configured == "" || sameServer(configured, s.url())
}

// token returns the token for the selected server, or "". A token of the environment is sent only to the server in
// LOCKBOX_API_URL. A token of a profile is sent only to the server of that profile. If the profile has a refresh token,
// and the access token expires soon by the local clock, the method refreshes the session first. Without a refresh
// token, it returns even an expired token, because only the server can decide whether the token is valid.
func (s *session) token(ctx context.Context) (string, error) {
	if s.profileName == "" && s.environmentMatchesServer() {
		token, err := s.environmentOrFile("LOCKBOX_API_KEY")
		if token != "" || err != nil {
			s.usesEnvironment = true
			return token, err
		}
	}
	if s.profileErr != nil {
		return "", s.profileErr // the file may have a token
	}
	// For an empty token, open returns the error of notSignedIn, which explains the cause.
	if !s.selected.SignedIn() || !sameServer(s.url(), s.selected.URL) {
		return "", nil
	}
	s.usesProfile = true
	if s.selected.RefreshToken != "" && time.Until(s.selected.ExpiresAt) < refreshBefore {
		return s.refresh(ctx)
	}
	return s.selected.Token, nil
}

// profileFlag returns the flag --profile with the name of the selected profile, for a command that a message suggests.
// It returns "" if the command would use the selected profile without the flag.
func (s *session) profileFlag() string {
	if s.name == cmp.Or(s.book.Current, profile.Default) {
		return ""
	}
	return " --profile " + s.name
}
