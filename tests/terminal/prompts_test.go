//go:build unix

package terminal

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/tests/live"
	"github.com/lockbox-go/lockbox/tests/pgtest"
)

// home is the home directory of a user, and a server that root owns.
type home struct {
	t      *testing.T
	server *live.Server
	dir    string
	root   string // an API key
}

func newHome(t *testing.T, settings ...string) home {
	t.Helper()
	h := home{t: t, server: live.Start(t, settings...), dir: t.TempDir()}
	var created struct{ APIKey string }
	_, err := send(h.server.URL, "", "POST", "/init", `{"username":"root","password":"root-password"}`, &created)
	require.NoError(t, err)
	h.root = created.APIKey
	return h
}

func (h home) environ(more ...string) []string {
	return append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + h.dir,
		"XDG_CONFIG_HOME=" + filepath.Join(h.dir, ".config"), "TERM=xterm"}, more...)
}

// at starts lockbox on a terminal.
func (h home) at(args ...string) *screen {
	h.t.Helper()
	return at(h.t, h.environ(), args...)
}

// run runs lockbox without a terminal.
func (h home) run(args ...string) (string, error) {
	command := exec.Command(binary, args...)
	command.Env = h.environ()
	out, err := command.CombinedOutput()
	return string(out), err
}

func (h home) must(args ...string) string {
	h.t.Helper()
	out, err := h.run(args...)
	require.NoError(h.t, err, out)
	return out
}

func (h home) profiles() string {
	h.t.Helper()
	text, err := os.ReadFile(filepath.Join(h.dir, ".config", "lockbox", "profiles.json"))
	require.NoError(h.t, err)
	return string(text)
}

func (h home) api(method, path, body string, into any) {
	h.t.Helper()
	_, err := send(h.server.URL, h.root, method, path, body, into)
	require.NoError(h.t, err)
}

// TestPassword checks that login asks for the password without showing it, and refuses a wrong one.
func TestPassword(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	s := h.at("login", h.server.URL)
	s.expect("Username: ")
	s.echoes(true)
	s.enter("root")
	s.hidden("Password: ", "root-password")
	s.expect("Signed in to " + regexp.QuoteMeta(h.server.URL) + " as root")
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

// TestInit initializes a server that requires an init token.
func TestInit(t *testing.T) {
	t.Parallel()
	h := home{t: t, server: live.Start(t, "INIT_TOKEN=a-token-for-the-first-one"), dir: t.TempDir()}
	for _, test := range []struct {
		token    string
		exitCode int
	}{{"not-the-token", 3}, {"a-token-for-the-first-one", 0}} {
		s := h.at("init", h.server.URL)
		s.hidden("Password for root: ", "root-password")
		s.hidden("Repeat: ", "root-password")
		s.hidden(`Init token \(from the server log\): `, test.token)
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

	// Ctrl-D is not an answer.
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
	s.ends(0)

	s = h.at("users", "totp", "enrol")
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

// codeAccount adds a user who signs in with TOTP codes only, and returns the secret.
func (h home) codeAccount(name string) string {
	h.t.Helper()
	h.api("POST", "/api/v1/user/add", fmt.Sprintf(`{"username":%q,"group":"viewer"}`, name), nil)
	var shown struct{ Secret string }
	h.api("GET", "/api/v1/user/auth/setup/"+name, "", &shown)
	return shown.Secret
}

func (h home) signInWithCode(name, secret string, step int) {
	h.t.Helper()
	code, err := codeAt(secret, step)
	require.NoError(h.t, err)
	s := h.at("login", h.server.URL, "--code", "-u", name)
	s.hidden(`Password \(empty if there is none\): `, "")
	s.hidden("TOTP code: ", code)
	s.expect("Signed in")
	s.ends(0)
}

// TestConcurrentRefresh runs commands in parallel whose token is about to expire. One of them refreshes the session,
// the others use the new token.
func TestConcurrentRefresh(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.signInWithCode("anna", h.codeAccount("anna"), 0)
	for range 5 {
		h.expire()
		before := h.profiles()
		var commands sync.WaitGroup
		for range 8 {
			commands.Go(func() {
				out, err := h.run("whoami")
				if err != nil || !strings.Contains(out, "anna") {
					t.Errorf("%v\n%s", err, out)
				}
			})
		}
		commands.Wait()
		require.NotEqual(t, before, h.profiles())
	}
	require.Equal(t, 5, pgtest.Number(t, h.server.Database,
		`SELECT count(*) FROM events WHERE action = 'session.refresh'`))
	require.Equal(t, 0, pgtest.Number(t, h.server.Database, `SELECT count(*) FROM events WHERE outcome <> 'success'`))
}

// tokenLifetime exceeds the lifetime of the tokens in TestRefresh. The test must sleep: a request that checks for the
// expiry would refresh the token.
const tokenLifetime = 4 * time.Second

// TestRefresh uses tokens that expire so soon that every command refreshes them.
func TestRefresh(t *testing.T) {
	t.Parallel()
	h := newHome(t, "ACCESS_TOKEN_TTL=3s")
	h.signInWithCode("anna", h.codeAccount("anna"), 0)
	for range 3 {
		before := h.profiles()
		require.Contains(t, h.must("whoami"), "anna")
		require.NotEqual(t, before, h.profiles())
	}

	// The token expires while a command waits for an answer. The command continues with a new one.
	h.must("box", "create", "prod")
	s := h.at("box", "delete", "prod")
	s.expect(`\[y/N\] `)
	time.Sleep(tokenLifetime)
	s.enter("y")
	s.ends(0)

	// A session whose token has expired can still be refreshed.
	time.Sleep(tokenLifetime)
	require.Contains(t, h.must("whoami"), "anna")

	// An unreachable server does not use up the refresh token.
	saved := h.profiles()
	var book struct {
		Profiles map[string]map[string]any `json:"profiles"`
	}
	require.NoError(t, json.Unmarshal([]byte(saved), &book))
	book.Profiles["default"]["url"] = "http://127.0.0.1:1"
	text, err := json.Marshal(book)
	require.NoError(t, err)
	path := filepath.Join(h.dir, ".config", "lockbox", "profiles.json")
	require.NoError(t, os.WriteFile(path, text, 0o600))
	out, err := h.run("whoami")
	require.Error(t, err)
	require.Contains(t, out, "cannot be reached")
	require.NoError(t, os.WriteFile(path, []byte(saved), 0o600))
	require.Contains(t, h.must("whoami"), "anna")

	// After a revocation, the message contains the remedy.
	h.api("DELETE", "/api/v1/user/auth/revoke/anna", "", nil)
	out, err = h.run("whoami")
	require.Error(t, err)
	require.Contains(t, out, "sign in with lockbox login")
}

// TestRefreshByAnotherCommand checks that a command continues after another command has refreshed its token.
func TestRefreshByAnotherCommand(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.signInWithCode("anna", h.codeAccount("anna"), 0)
	h.must("box", "create", "prod")
	s := h.at("box", "delete", "prod")
	s.expect(`\[y/N\] `)
	before := h.profiles()
	h.expire()
	h.must("whoami")
	require.NotEqual(t, before, h.profiles())
	s.enter("y")
	s.ends(0)

	// A session that was revoked in the meantime is not refreshed.
	h.must("box", "create", "prod")
	s = h.at("box", "delete", "prod")
	s.expect(`\[y/N\] `)
	h.must("users", "revoke")
	s.enter("y")
	s.expect("sign in with lockbox login")
	s.ends(3)
}

// expire sets the expiry times in the profile file to a time in ten seconds. The tokens themselves stay valid.
func (h home) expire() {
	h.t.Helper()
	path := filepath.Join(h.dir, ".config", "lockbox", "profiles.json")
	soon := regexp.MustCompile(`"expiresAt": "[^"]*"`).ReplaceAllString(h.profiles(),
		`"expiresAt": "`+time.Now().Add(10*time.Second).UTC().Format(time.RFC3339)+`"`)
	require.NoError(h.t, os.WriteFile(path, []byte(soon), 0o600))
}

// TestConfirmation checks that actions that cannot be undone need an explicit yes.
func TestConfirmation(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.api("POST", "/boxes/prod", "", nil)
	environ := h.environ("LOCKBOX_API_URL="+h.server.URL, "LOCKBOX_API_KEY="+h.root)
	for _, answer := range []string{"", "n", "what?"} {
		s := at(t, environ, "box", "delete", "prod")
		s.expect(`Permanently delete box prod \(owner: root\) and all its entries\? \[y/N\] `)
		s.enter(answer)
		s.expect("lockbox:.* nothing was changed")
		s.ends(1)
	}
	h.api("GET", "/boxes/prod", "", nil)
	s := at(t, environ, "box", "delete", "prod")
	s.expect(`\[y/N\] `)
	s.enter("YES")
	s.ends(0)
	_, err := send(h.server.URL, h.root, "GET", "/boxes/prod", "", nil)
	require.ErrorContains(t, err, "404")

	h.codeAccount("anna")
	s = at(t, environ, "users", "update", "anna", "--group", "owner")
	s.expect(`Transfer the ownership of the server to anna\? \[y/N\] `)
	s.enter("no")
	s.ends(1)
	s = at(t, environ, "users", "delete", "anna")
	s.expect(`Permanently delete user anna\? \[y/N\] `)
	s.enter("y")
	s.ends(0)
	s = at(t, environ, "droplet", "delete", "droplet01")
	s.expect(`Permanently delete droplet droplet01 and all its data\? \[y/N\] `)
	s.enter("n")
	s.ends(1)
}

// TestNewPasswords checks that new passwords are asked for twice and must match.
func TestNewPasswords(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	environ := h.environ("LOCKBOX_API_URL="+h.server.URL, "LOCKBOX_API_KEY="+h.root)
	s := at(t, environ, "users", "create", "anna")
	s.hidden("Password for anna: ", "anna-password")
	s.hidden("Repeat: ", "another")
	s.expect("the two inputs differ")
	s.ends(1)
	s = at(t, environ, "users", "create", "anna")
	s.hidden("Password for anna: ", "anna-password")
	s.hidden("Repeat: ", "anna-password")
	s.expect("eyJ")
	s.expect("not shown again")
	s.ends(0)

	s = h.at("login", h.server.URL, "-u", "anna")
	s.hidden("Password: ", "anna-password")
	s.ends(0)
	s = h.at("users", "passwd")
	s.hidden("Current password .*: ", "anna-password")
	s.hidden("New password for anna: ", "new-password")
	s.hidden("Repeat: ", "new-password")
	s.expect("lockbox login")
	s.ends(0)
	s = h.at("login", "-u", "anna")
	s.hidden("Password: ", "new-password")
	s.ends(0)

	// A user with TOTP codes only has no current password.
	secret := h.codeAccount("boris")
	h.signInWithCode("boris", secret, 0)
	s = h.at("users", "passwd")
	s.hidden("Current password .*: ", "")
	s.hidden("New password for boris: ", "boris-password")
	s.hidden("Repeat: ", "boris-password")
	s.ends(0)
}

// TestUserPasswd covers the operator's command, which works directly on the database.
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

// TestPromptsWithRedirectedStreams checks that prompts appear on the terminal if standard error and standard input are
// redirected.
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

// TestInviteAndJoin follows an invitation from the admin's terminal to the invited user's, with two-factor.
func TestInviteAndJoin(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	s := h.at("login", h.server.URL, "-u", "root")
	s.hidden("Password: ", "root-password")
	s.ends(0)
	s = h.at("users", "invite", "anna")
	s.expect(`lockbox join lbi1_`)
	s.expect(`Send this line to anna\. It works once, until 20`)
	s.expect(`It works only on this machine`)
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

// TestJoinOverPlainHTTP: the password crosses a network without encryption only if the environment permits it and the
// user confirms.
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
