//go:build unix && e2e

package terminal

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/tests/pgtest"
	"github.com/lockbox-go/lockbox/tests/rounds"
)

// TestConcurrentRefresh runs several commands in parallel with a token that is about to expire. Exactly one command
// must refresh the session. The others must use the new token.
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

// Every token in TestRefresh and TestWrongClock expires before tokenLifetime has passed. The tests sleep for this time.
// They cannot ask the server whether a token has expired, because each request would refresh the token.
const tokenLifetime = 4 * time.Second

// TestRefresh uses tokens with a lifetime of three seconds. Every command must refresh such a token.
func TestRefresh(t *testing.T) {
	t.Parallel()
	h := newHome(t, "ACCESS_TOKEN_TTL=3s")
	h.signInWithCode("anna", h.codeAccount("anna"), 0)
	for range 3 {
		before := h.profiles()
		require.Contains(t, h.must("whoami"), "anna")
		require.NotEqual(t, before, h.profiles())
	}

	// The token expires while a command waits for the user. The command must continue with a new token.
	h.must("box", "create", "prod")
	s := h.at("box", "delete", "prod")
	s.expect(`\[y/N\] `)
	time.Sleep(tokenLifetime)
	s.enter("y")
	s.ends(0)

	// A session whose token has expired can still be refreshed.
	time.Sleep(tokenLifetime)
	require.Contains(t, h.must("whoami"), "anna")

	// The server cannot be reached during a refresh. The refresh token must remain valid.
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

	// After a revocation, the message must tell the user to sign in again.
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

// TestCommandDuringRefresh delays the response to a refresh. During the delay, the old token is already invalid, and
// the profile file does not contain the new token yet. A command that is refused must wait for the new token.
func TestCommandDuringRefresh(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.signInWithCode("anna", h.codeAccount("anna"), 0)
	h.must("box", "create", "prod")
	target, err := url.Parse(h.server.URL)
	require.NoError(t, err)
	refreshed, release := make(chan struct{}), make(chan struct{})
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ModifyResponse = func(response *http.Response) error {
		if strings.HasSuffix(response.Request.URL.Path, "/refresh") {
			close(refreshed)
			<-release
		}
		return nil
	}
	front := httptest.NewServer(proxy)
	t.Cleanup(front.Close)
	h.rewrite(`"url": "[^"]*"`, `"url": "`+front.URL+`"`)

	waiting := h.at("box", "delete", "prod")
	waiting.expect(`\[y/N\] `)
	h.expire()
	done := make(chan string)
	go func() {
		out, _ := h.run("whoami")
		done <- out
	}()
	<-refreshed
	waiting.enter("y")
	time.Sleep(300 * time.Millisecond) // the time in which the command is refused
	close(release)
	waiting.ends(0)
	require.Contains(t, <-done, "anna")
	require.Equal(t, 1, pgtest.Number(t, h.server.Database,
		`SELECT count(*) FROM events WHERE action = 'session.refresh'`))
}

// TestImportDuringRefreshes checks that an import of many entries succeeds while other commands continually refresh the
// session.
func TestImportDuringRefreshes(t *testing.T) {
	t.Parallel()
	h := newHome(t, "ACCESS_TOKEN_TTL=5s")
	h.signInWithCode("anna", h.codeAccount("anna"), 0)
	h.must("box", "create", "prod")
	entries := rounds.Choose(100, 300)
	var file strings.Builder
	for i := range entries {
		fmt.Fprintf(&file, "NAME_%d=value\n", i)
	}
	path := filepath.Join(h.dir, "many.env")
	require.NoError(t, os.WriteFile(path, []byte(file.String()), 0o600))
	keyFile := filepath.Join(h.dir, "key")
	require.NoError(t, os.WriteFile(keyFile, []byte(encryptionKey), 0o600))

	ended := make(chan struct{})
	var others sync.WaitGroup
	for range 2 {
		others.Go(func() {
			for {
				select {
				case <-ended:
					return
				default:
				}
				out, err := h.run("whoami")
				if err != nil {
					t.Errorf("%v\n%s", err, out)
					return
				}
			}
		})
	}
	out, err := h.run("import", "prod", path, "--each", "--yes", "--encryption-key-file", keyFile)
	close(ended)
	others.Wait()
	require.NoError(t, err, out)
	require.Len(t, strings.Fields(h.must("list", "prod")), entries)
}

// TestWrongClock checks that only the server decides whether a token has expired. It changes the expiry times in the
// profile file. This has the same effect as a wrong clock on the user's machine.
func TestWrongClock(t *testing.T) {
	t.Parallel()
	h := newHome(t, "ACCESS_TOKEN_TTL=3s")
	h.signInWithCode("anna", h.codeAccount("anna"), 0)
	for _, wrong := range []time.Duration{-5 * time.Hour, 0, 5 * time.Hour, 50 * time.Hour} {
		h.expireAt(time.Now().Add(wrong))
		require.Contains(t, h.must("whoami"), "anna", "the token is valid")
		time.Sleep(tokenLifetime)
		h.expireAt(time.Now().Add(wrong))
		require.Contains(t, h.must("whoami"), "anna", "the token has expired")
	}

	// A password session cannot be refreshed. Its token is valid for seven days.
	s := h.at("login", h.server.URL, "-u", "root", "--profile", "root")
	s.hidden("Password: ", "root-password")
	s.declines()
	s.ends(0)
	for _, wrong := range []time.Duration{-50 * time.Hour, 0, 5000 * time.Hour} {
		h.expireAt(time.Now().Add(wrong))
		require.Contains(t, h.must("whoami", "--profile", "root"), "root")
	}
	h.must("users", "revoke", "--profile", "root")
	out, err := h.run("whoami", "--profile", "root")
	require.Error(t, err)
	require.Contains(t, out, "sign in with lockbox login")
}

// expire sets the expiry times in the profile file to ten seconds from now. The tokens themselves stay valid.
func (h home) expire() {
	h.t.Helper()
	h.expireAt(time.Now().Add(10 * time.Second))
}

// expireAt sets the expiry times in the profile file.
func (h home) expireAt(at time.Time) {
	h.t.Helper()
	h.rewrite(`"expiresAt": "[^"]*"`, `"expiresAt": "`+at.UTC().Format(time.RFC3339)+`"`)
}

// rewrite replaces every match of a pattern in the profile file.
func (h home) rewrite(pattern, with string) {
	h.t.Helper()
	path := filepath.Join(h.dir, ".config", "lockbox", "profiles.json")
	text := regexp.MustCompile(pattern).ReplaceAllString(h.profiles(), with)
	require.NoError(h.t, os.WriteFile(path, []byte(text), 0o600))
}
