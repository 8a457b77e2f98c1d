//go:build unix

package terminal

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/tests/live"
)

// TestPassword checks that login asks for the password without showing it, and refuses a wrong password.
func TestPassword(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	s := h.at("login", h.server.URL)
	s.expect("Username: ")
	s.echoes(true)
	s.enter("root")
	s.hidden("Password: ", "root-password")
	s.expect("Signed in to " + regexp.QuoteMeta(h.server.URL) + " as root")
	s.declines()
	s.ends(0)
	require.NotContains(t, s.String(), "root-password")
	require.Contains(t, h.must("whoami"), "root")

	before := h.profiles()
	s = h.at("login", "-u", "root")
	s.hidden("Password: ", "not-the-password")
	s.expect(`lockbox:.* wrong`)
	s.ends(3)
	require.NotContains(t, s.String(), "not-the-password")
	require.Equal(t, before, h.profiles())
}

// TestInit initializes a server that requires an init token. The command must ask for the token first. Without the
// token, the server does not report whether it has an owner.
func TestInit(t *testing.T) {
	t.Parallel()
	h := home{t: t, server: live.Start(t, "INIT_TOKEN=a-token-for-the-first-one"), dir: t.TempDir()}
	for _, test := range []struct {
		token    string
		exitCode int
	}{{"not-the-token", 3}, {"a-token-for-the-first-one", 0}} {
		s := h.at("init", h.server.URL)
		s.hidden(`Init token \(from the server log\): `, test.token)
		if test.exitCode == 0 {
			s.hidden("Password for root: ", "root-password")
			s.hidden("Repeat: ", "root-password")
			s.declines()
		}
		s.ends(test.exitCode)
		require.NotContains(t, s.String(), "root-password")
		require.NotContains(t, s.String(), test.token)
	}
	require.Regexp(t, `group +owner`, h.must("whoami"))
}

// TestCtrlC checks that Ctrl-C restores the terminal and prints no message.
func TestCtrlC(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	s := h.at("login", h.server.URL, "-u", "root")
	s.expect("Password: ")
	s.echoes(false)
	_, err := s.keyboard.WriteString("half a pass\x03")
	require.NoError(t, err)
	s.ends(130)
	require.NotContains(t, s.String(), "half")
	require.NotContains(t, s.String(), "lockbox:")

	// Ctrl-D does not count as an answer.
	s = h.at("login", h.server.URL)
	s.expect("Username: ")
	_, err = s.keyboard.WriteString("\x04")
	require.NoError(t, err)
	s.expect("no answer given")
	s.ends(1)
}

// TestTwoFactor enables two-factor, signs in with a code and disables two-factor with a recovery code.
func TestTwoFactor(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	s := h.at("login", h.server.URL, "-u", "root")
	s.hidden("Password: ", "root-password")
	s.declines()
	s.ends(0)

	s = h.at("users", "totp", "enrol")
	s.hidden("Current password: ", "root-password")
	s.expect("▀")
	s.expect(`secret +[A-Z2-7]{32}`)
	secret := regexp.MustCompile(`secret +([A-Z2-7]{32})`).FindStringSubmatch(s.String())[1]
	s.expect(`recovery codes`)
	s.ends(0)
	recovery := regexp.MustCompile(`recovery codes +([A-Z2-7-]+)`).FindStringSubmatch(s.String())[1]
	code, err := codeAt(secret, 0)
	require.NoError(t, err)
	s = h.at("users", "totp", "confirm")
	s.hidden("TOTP code: ", code)
	s.hidden("Current password: ", "root-password")
	s.expect("Enabled two-factor for root")
	s.ends(0)
	require.NotContains(t, s.String(), code)

	next, err := codeAt(secret, 1)
	require.NoError(t, err)
	s = h.at("login", "-u", "root")
	s.hidden("Password: ", "root-password")
	s.hidden("TOTP code: ", next)
	s.expect("Signed in")
	s.ends(0)

	s = h.at("login", "-u", "root")
	s.hidden("Password: ", "root-password")
	s.hidden("TOTP code: ", next) // already used
	s.ends(3)

	s = h.at("users", "totp", "remove")
	s.hidden("TOTP code or recovery code: ", recovery)
	s.ends(0)
	require.NotContains(t, s.String(), recovery)
}

// TestUserPasswd checks the prompts of the operator's command lockbox user passwd, which works directly on the
// database.
func TestUserPasswd(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	environ := h.environ("LOCKBOX_DATABASE_URL="+h.server.Database, "LOCKBOX_SECRET_KEY="+live.Secret,
		"LOCKBOX_KDF_MEMORY_KIB=64", "LOCKBOX_KDF_TIME=1", "LOCKBOX_LOG_LEVEL=error")
	s := at(t, environ, "user", "passwd", "root")
	s.hidden("New password: ", "new-password")
	s.hidden("Repeat: ", "another-password")
	s.expect("the two inputs differ")
	s.ends(1)
	s = at(t, environ, "user", "passwd", "root")
	s.hidden("New password: ", "new-password")
	_, err := s.keyboard.WriteString("\x03")
	require.NoError(t, err)
	s.ends(130)
	_, err = send(h.server.URL, "", "POST", "/authenticate", `{"username":"root","password":"root-password"}`, nil)
	require.NoError(t, err)

	s = at(t, environ, "user", "passwd", "root")
	s.hidden("New password: ", "new-password")
	s.hidden("Repeat: ", "new-password")
	s.expect("root has a new password")
	s.ends(0)
	require.NotContains(t, s.String(), "new-password\r")
	_, err = send(h.server.URL, "", "POST", "/authenticate", `{"username":"root","password":"new-password"}`, nil)
	require.NoError(t, err)
}

// TestPromptsWithRedirectedStreams redirects standard input and standard error. The prompts must still appear on the
// terminal.
func TestPromptsWithRedirectedStreams(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	s := start(t, h.environ("ERRORS="+filepath.Join(h.dir, "errors")), "/bin/sh", "-c",
		`"$0" login "$1" -u root 2> "$ERRORS" < /dev/null`, binary, h.server.URL)
	s.hidden("Password: ", "root-password")
	s.ends(0)
	require.Contains(t, h.must("whoami"), "root")
	text, err := os.ReadFile(filepath.Join(h.dir, "errors"))
	require.NoError(t, err)
	require.Empty(t, text)
}

// TestInviteAndJoin checks that an admin can invite a user, and that the user can join and enable two-factor.
func TestInviteAndJoin(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	s := h.at("login", h.server.URL, "-u", "root")
	s.hidden("Password: ", "root-password")
	s.declines()
	s.ends(0)
	s = h.at("users", "invite", "anna")
	s.expect(`lockbox join lbi1_`)
	s.expect(`Send this line to anna\. The line works only once, and only until 20`)
	s.expect(`The invitation works only on this machine`)
	s.ends(0)
	text := regexp.MustCompile(`lbi1_[A-Za-z0-9_-]+`).FindString(s.String())

	anna := home{t: t, server: h.server, dir: t.TempDir()}
	s = anna.at("join", text)
	s.expect("The invitation is for the server " + regexp.QuoteMeta(h.server.URL))
	s.hidden("New password: ", "her-password")
	s.hidden("Repeat: ", "his-password")
	s.expect("the two inputs differ")
	s.ends(1)

	s = anna.at("join", text)
	s.hidden("New password: ", "her-password")
	s.hidden("Repeat: ", "her-password")
	s.expect("Signed in to " + regexp.QuoteMeta(h.server.URL) + " as anna")
	s.expect(`two-factor authentication.*\[y/N\] `)
	s.enter("y")
	s.expect("▀")
	s.expect(`secret +[A-Z2-7]{32}`)
	secret := regexp.MustCompile(`secret +([A-Z2-7]{32})`).FindStringSubmatch(s.String())[1]
	code, err := codeAt(secret, 0)
	require.NoError(t, err)
	s.hidden("TOTP code: ", code)
	s.expect("Enabled two-factor for anna")
	s.declines()
	s.ends(0)
	require.NotContains(t, s.String(), "her-password")
	require.NotContains(t, anna.profiles(), "her-password")
	require.Regexp(t, `username +anna`, anna.must("whoami"))

	next, err := codeAt(secret, 1)
	require.NoError(t, err)
	s = anna.at("login", "-u", "anna")
	s.hidden("Password: ", "her-password")
	s.hidden("TOTP code: ", next)
	s.ends(0)
	s = anna.at("join", text, "--profile", "again")
	s.expect("already used")
	s.ends(3)
}

// TestJoinOverPlainHTTP runs lockbox join with an http URL. The command may send the password without encryption only
// if LOCKBOX_API_ALLOW_HTTP is set and the user confirms.
func TestJoinOverPlainHTTP(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	environ := h.environ("LOCKBOX_API_URL="+h.server.URL, "LOCKBOX_API_KEY="+h.root)
	s := at(t, environ, "users", "invite", "anna", "--url", "http://lockbox.invalid:5000")
	s.expect(`Send this line to anna`)
	s.ends(0)
	require.NotContains(t, s.String(), "only on this machine")
	text := regexp.MustCompile(`lbi1_[A-Za-z0-9_-]+`).FindString(s.String())
	s = h.at("join", text)
	s.expect(`lockbox:.*LOCKBOX_API_ALLOW_HTTP`)
	s.ends(2)
	s = at(t, h.environ("LOCKBOX_API_ALLOW_HTTP=true"), "join", text)
	s.expect(`Send your password to http://lockbox\.invalid:5000 without encryption\? \[y/N\] `)
	s.enter("n")
	s.expect("not confirmed")
	s.ends(1)
}
