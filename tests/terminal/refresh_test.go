//go:build unix

package terminal

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/tests/pgtest"
)

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
