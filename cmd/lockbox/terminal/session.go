package terminal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
	"github.com/lockbox-go/lockbox/cmd/lockbox/profile"
)

// session is what the commands share: where they print, which server they call, and with what.
type session struct {
	in        io.Reader
	out, errs io.Writer
	userAgent string

	// The flags.
	server, profileName, output string
	key                         keySource

	// What they come to, once open was called.
	book   profile.Book
	chosen profile.Profile
	name   string
}

func newSession(version string) *session {
	return &session{
		in:        os.Stdin,
		out:       os.Stdout,
		errs:      os.Stderr,
		userAgent: "lockbox/" + version,
	}
}

// flags are those of every command that calls a server.
func (s *session) flags(command *cobra.Command) {
	flags := command.PersistentFlags()
	flags.StringVar(&s.server, "server", "", "URL of the server, instead of LOCKBOX_API_URL and the profile's")
	flags.StringVar(&s.profileName, "profile", "", "profile to use, instead of the environment and the current one")
	flags.StringVarP(&s.output, "output", "o", formTable, "table, or json")
	_ = command.RegisterFlagCompletionFunc("profile", s.completeProfiles)
	_ = command.RegisterFlagCompletionFunc("output",
		cobra.FixedCompletions([]string{formTable, formJSON}, cobra.ShellCompDirectiveNoFileComp))
}

// errSessionEnded is about the token of a profile, which the server need not be asked about.
var errSessionEnded = errors.New("your session has ended")

var errNotSignedIn = errors.New("you are not signed in")

// open returns a client for the server that is meant, with the token that belongs to it. A flag counts before the
// environment, and the environment before the profile.
func (s *session) open(ctx context.Context) (*client.Client, error) {
	if err := s.choose(); err != nil {
		return nil, err
	}
	token, err := s.token(ctx)
	if err != nil {
		return nil, err
	}
	if token == "" {
		return nil, s.notSignedIn()
	}
	return s.connect(token)
}

// notSignedIn says to which server, where that may not be the one that somebody thinks of.
func (s *session) notSignedIn() error {
	const remedy = "lockbox login, or set LOCKBOX_API_URL and LOCKBOX_API_KEY"
	if s.url() != "" {
		if _, err := s.connect(""); err != nil {
			return err // no address that anybody could sign in to
		}
	}
	asked := s.env("LOCKBOX_PROFILE")
	switch _, known := s.book.Profiles[s.name]; {
	case s.profileName == "" && asked != "" && !known:
		return fmt.Errorf("%w: LOCKBOX_PROFILE is %q, and there is no such profile; lockbox profile list shows those "+
			"there are", errNotSignedIn, asked)
	case s.profileName == "" && !s.environmentCounts():
		return fmt.Errorf("%w to %s: what the environment has is for LOCKBOX_API_URL alone; lockbox login %[2]s "+
			"--profile NAME", errNotSignedIn, s.url())
	case s.chosen.SignedIn() && !sameServer(s.url(), s.chosen.URL):
		return fmt.Errorf("%w to %s: the profile %s is for %s alone; lockbox login %[2]s --profile NAME, or set "+
			"LOCKBOX_API_KEY",
			errNotSignedIn, s.url(), s.name, s.chosen.URL)
	}
	return fmt.Errorf("%w: %s", errNotSignedIn, remedy)
}

// choose reads the flags and the profiles.
func (s *session) choose() error {
	if s.output != formTable && s.output != formJSON {
		return &usageError{fmt.Errorf("--output is table or json, not %q", s.output)}
	}
	path, err := profile.Path()
	if err != nil {
		s.name = profile.Default // a program without a home has the environment
		return nil
	}
	if s.book, err = profile.Load(path); err != nil {
		return err
	}
	s.name = s.book.Choose(cmp.Or(s.profileName, s.env("LOCKBOX_PROFILE")))
	chosen, known := s.book.Profiles[s.name]
	if s.profileName != "" && !known {
		return &usageError{fmt.Errorf("there is no profile %q: lockbox login --profile %[1]s makes it", s.profileName)}
	}
	s.chosen = chosen
	return nil
}

// url is where the server is; "" when nothing says so.
func (s *session) url() string {
	if s.server != "" {
		return s.server
	}
	if s.profileName != "" {
		return s.chosen.URL
	}
	return cmp.Or(s.env("LOCKBOX_API_URL"), s.chosen.URL)
}

// environmentCounts reports whether the token and the encryption key of the environment are for the server that is called.
// They are not when LOCKBOX_API_URL says that they are for another one, which a flag has set aside.
func (s *session) environmentCounts() bool {
	named := s.env("LOCKBOX_API_URL")
	return named == "" || sameServer(named, s.url())
}

// token is what to sign in with; "" when there is none. The token of a profile goes to the server of that profile and to
// no other, whatever the environment says, and that of the environment to the server of the environment.
func (s *session) token(ctx context.Context) (string, error) {
	if s.profileName == "" && s.environmentCounts() {
		token, err := s.fromEnvironment("LOCKBOX_API_KEY")
		if token != "" || err != nil {
			return token, err
		}
	}
	if !s.chosen.SignedIn() || !sameServer(s.url(), s.chosen.URL) {
		return "", nil
	}
	switch {
	case s.chosen.RefreshToken != "" && time.Until(s.chosen.ExpiresAt) < time.Minute:
		return s.refresh(ctx)
	case ended(s.chosen):
		return "", fmt.Errorf("%w since %s: sign in again with lockbox login%s", errSessionEnded,
			when(s.chosen.ExpiresAt), s.profileFlag())
	}
	return s.chosen.Token, nil
}

// profileFlag is what to add to a command so that it means the same profile; nothing for the one that counts anyway.
func (s *session) profileFlag() string {
	if s.name == cmp.Or(s.book.Current, profile.Default) {
		return ""
	}
	return " --profile " + s.name
}

// refreshTime bounds a refresh, which Ctrl-C and an impatient completion do not stop: the old token is dead once the
// server has it, and the new one must be kept.
const refreshTime = 10 * time.Second

// refresh takes a new token for the one that is about to end. It is done under the lock of the profiles: a refresh token
// that is sent twice ends the whole session.
func (s *session) refresh(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refreshTime)
	defer cancel()
	path, err := profile.Path()
	if err != nil {
		return "", err
	}
	err = profile.Change(path, func(book *profile.Book) error {
		kept := book.Profiles[s.name]
		if kept.RefreshToken != "" && kept.RefreshToken == s.chosen.RefreshToken {
			nobody, err := s.connect("")
			if err != nil {
				return err
			}
			pair, err := nobody.Accounts().Refresh(ctx, client.NewSecret(kept.RefreshToken))
			if err != nil {
				return err
			}
			kept.Token, kept.RefreshToken, kept.ExpiresAt = pair.Access.Reveal(), pair.Refresh.Reveal(), time.Now().Add(
				pair.ExpiresIn)
			book.Profiles[s.name] = kept
		}
		s.chosen = kept
		return nil
	})
	return s.chosen.Token, err
}

// connect makes a client of the server that is meant, with a token or with none.
func (s *session) connect(token string) (*client.Client, error) {
	if s.url() == "" {
		return nil, &usageError{errors.New("no server is known: lockbox login URL, or set LOCKBOX_API_URL")}
	}
	made, err := client.New(client.Config{
		URL:        s.url(),
		Token:      client.NewSecret(token),
		UserAgent:  s.userAgent,
		AllowHTTP:  s.env("LOCKBOX_API_ALLOW_HTTP") == "true",
		HTTPClient: s.httpClient(token),
	})
	if err != nil {
		return nil, &usageError{err}
	}
	return made, nil
}

// input is standard input until Ctrl-C: a read that waits for a pipe, or for somebody at a terminal, hears of none itself.
func (s *session) input(ctx context.Context) io.Reader { return &stoppable{ctx, s.in} }

type stoppable struct {
	ctx context.Context //nolint:containedctx // io.Reader has no other way to bring one
	in  io.Reader
}

func (r *stoppable) Read(into []byte) (int, error) {
	type result struct {
		text []byte
		err  error
	}
	read := make(chan result, 1)
	go func() {
		text := make([]byte, len(into)) // what comes after the end must not be written where somebody else reads
		n, err := r.in.Read(text)
		read <- result{text[:n], err}
	}()
	select {
	case <-r.ctx.Done():
		return 0, r.ctx.Err()
	case got := <-read:
		return copy(into, got.text), got.err
	}
}

func (s *session) env(name string) string { return os.Getenv(name) }

// fromEnvironment reads a variable, or the file that its twin with _FILE names.
func (s *session) fromEnvironment(name string) (string, error) {
	if text := s.env(name); text != "" {
		return text, nil
	}
	path := s.env(name + "_FILE")
	if path == "" {
		return "", nil
	}
	text, err := os.ReadFile(path) //nolint:gosec // what the user named
	if err != nil {
		return "", fmt.Errorf("%s_FILE cannot be read: %w", name, err)
	}
	return oneLine(text), nil
}

// sameServer compares two URLs as the client reads them: letter case counts in the path, and not before it.
func sameServer(one, other string) bool { return canonicalURL(one) == canonicalURL(other) }

func canonicalURL(text string) string {
	at, err := url.Parse(strings.TrimRight(text, "/"))
	if err != nil {
		return text
	}
	return strings.ToLower(at.Scheme+"://"+at.Host) + at.EscapedPath()
}

// run is a command's work with a server that somebody is signed in to.
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
