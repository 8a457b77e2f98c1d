//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/tests/pgtest"
)

// olderSchema is the schema version of the older release in this test. nextMigration is the first migration that the
// older release does not contain.
const (
	olderSchema   = 8
	nextMigration = "migrations/000009_identities.up.sql"
)

// olderBinary builds the older release. It uses the commit before the one that added nextMigration.
func olderBinary(t *testing.T) string {
	t.Helper()
	git := func(args ...string) []byte {
		t.Helper()
		var problems bytes.Buffer
		command := exec.CommandContext(t.Context(), "git", append([]string{"-c", "safe.directory=*"}, args...)...)
		command.Dir, command.Stderr = "../..", &problems
		out, err := command.Output()
		require.NoError(t, err, "the test needs the history of the repository: %s", &problems)
		return out
	}
	added := strings.Fields(string(git("log", "--first-parent", "-m", "--diff-filter=A", "--format=%H", "--",
		nextMigration)))
	require.NotEmpty(t, added, "the test needs the whole history: run git fetch --unshallow")
	dir := t.TempDir()
	unpack := exec.CommandContext(t.Context(), "tar", "-x", "-C", dir)
	unpack.Stdin = bytes.NewReader(git("archive", added[len(added)-1]+"^1"))
	require.NoError(t, unpack.Run())
	path := filepath.Join(dir, "lockbox-old")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", path, "./cmd/lockbox")
	build.Dir, build.Env = dir, append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return path
}

// release is a running program of any version. Its answers are not compared with the API description.
type release struct {
	t   *testing.T
	url string
	*program
}

// serveWith starts a program on a database and waits until it is ready.
func serveWith(t *testing.T, path, database string) *release {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	p := runProgram(t, exec.CommandContext(t.Context(), path, "serve"), "DATABASE_URL="+database,
		"SECRET_KEY="+testSecret, "HTTP_ADDR="+address)
	r := &release{t, "http://" + address, p}
	require.Eventually(t, func() bool {
		response, err := http.Get(r.url + "/readyz")
		if err != nil {
			return false
		}
		return response.Body.Close() == nil && response.StatusCode == http.StatusOK
	}, waitLimit, waitTick, "%s", p.log)
	return r
}

// The test waits for a condition for at most waitLimit, and checks it every waitTick. On an idle machine, each wait
// takes only seconds.
const (
	waitLimit = time.Minute
	waitTick  = 20 * time.Millisecond
)

// The call method sends a request with generatedKey as the encryption key. It requires the given status and returns the
// response body.
func (r *release) call(token, method, path, body string, status int) string {
	r.t.Helper()
	request, err := http.NewRequestWithContext(r.t.Context(), method, r.url+path, strings.NewReader(body))
	require.NoError(r.t, err)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Encryption-Key", generatedKey)
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(r.t, err)
	text, err := io.ReadAll(response.Body)
	require.NoError(r.t, err)
	require.NoError(r.t, response.Body.Close())
	require.Equal(r.t, status, response.StatusCode, "%s %s: %s", method, path, text)
	return string(text)
}

// requireEntries verifies entries in the box "team". The argument want maps the key of each entry to the required
// value.
func (r *release) requireEntries(token string, want map[string]string) {
	r.t.Helper()
	for key, value := range want {
		require.JSONEq(r.t, strconv.Quote(value), r.call(token, "GET", "/boxes/team/entries/"+key, "", 200), key)
	}
}

// write writes an entry in the box "team".
func (r *release) write(token, key, value string) {
	r.t.Helper()
	r.call(token, "POST", "/boxes/team/entries", `{"key":"`+key+`","value":"`+value+`"}`, 201)
}

// TestRollback upgrades a database from an older release and writes with the new release. It then rolls back as
// docs/upgrade.md describes, writes with the older release, and upgrades again. No entry, user or sign-in with a
// password may be lost.
func TestRollback(t *testing.T) {
	t.Parallel()
	older, newer, database := olderBinary(t), binary(t), pgtest.Empty(t)

	first := serveWith(t, older, database)
	var owner struct{ APIKey string }
	require.NoError(t, json.Unmarshal([]byte(first.call("", "POST", "/init",
		`{"username":"root","password":"root-password"}`, 200)), &owner))
	token := owner.APIKey
	first.call(token, "POST", "/boxes/team", "", 201)
	first.write(token, "before", "one")
	require.Zero(t, first.terminate())

	upgraded := serveWith(t, newer, database)
	upgraded.requireEntries(token, map[string]string{"before": "one"})
	upgraded.write(token, "before", "two")
	upgraded.write(token, "during", "one")
	upgraded.call(token, "POST", "/users", `{"username":"anna","password":"anna-password"}`, 201)
	require.Zero(t, upgraded.terminate())

	blocks := bashBlocks(t, "docs/upgrade.md")
	require.Len(t, blocks, 1)
	script := strings.ReplaceAll(blocks[0], "/var/backups/lockbox", filepath.Join(t.TempDir(), "backups"))
	require.Contains(t, script, "--to "+strconv.Itoa(olderSchema)+"\n")
	out := shell(t, map[string]string{"lockbox": newer, "lockbox-old": older}, script, "LOCKBOX_DATABASE_URL="+database,
		"LOCKBOX_SECRET_KEY="+testSecret)
	require.Contains(t, out, "database 000008, program 000008")

	rolledBack := serveWith(t, older, database)
	rolledBack.requireEntries(token, map[string]string{"before": "two", "during": "one"})
	rolledBack.write(token, "during", "two")
	rolledBack.write(token, "after", "one")
	rolledBack.call("", "POST", "/authenticate", `{"username":"anna","password":"anna-password"}`, 200)
	require.Zero(t, rolledBack.terminate())

	again := serveWith(t, newer, database)
	again.requireEntries(token, map[string]string{"before": "two", "during": "two", "after": "one"})
	again.write(token, "before", "three")
	require.Contains(t, again.call(token, "GET", "/boxes/team/entries/before/versions", "", 200), `"version":3`)
	again.call("", "POST", "/authenticate", `{"username":"anna","password":"anna-password"}`, 200)
	require.Contains(t, again.call(token, "GET", "/audit?user=root&action=entry.write", "", 200), `"during"`)
	require.Zero(t, again.terminate())
}
