//go:build unix

package terminal

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/tests/live"
)

// home is the home directory of a user, together with a server whose owner is root.
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

// The at method starts lockbox on a terminal.
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

// codeAccount adds a user who signs in only with TOTP codes, and returns the TOTP secret.
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
