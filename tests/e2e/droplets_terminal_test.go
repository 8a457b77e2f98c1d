//go:build e2e && linux

package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/lockbox-go/lockbox/tests/engine"
)

// testDropletsFromTerminal adds, lists, stops, starts and deletes droplets with the lockbox droplet commands.
func testDropletsFromTerminal(t *testing.T, y *yard) {
	dir := t.TempDir()
	// lockbox returns standard output and standard error. If the command fails, its exit code is appended to standard
	// error.
	lockbox := func(args ...string) (string, string) {
		command := exec.Command(binary(t), append([]string{"droplet"}, args...)...)
		command.Dir = dir
		command.Env = []string{"HOME=" + dir, "LOCKBOX_API_URL=" + y.url, "LOCKBOX_API_KEY=" + y.manager.token,
			"LOCKBOX_ENCRYPTION_KEY=" + generatedKey}
		var out, errs bytes.Buffer
		command.Stdout, command.Stderr = &out, &errs
		if err := command.Run(); err != nil {
			errs.WriteString(err.Error())
		}
		return out.String(), errs.String()
	}
	must := func(args ...string) string {
		t.Helper()
		out, failure := lockbox(args...)
		require.Empty(t, failure)
		return out
	}
	isKeyOf := func(number int, key string) {
		t.Helper()
		signer, err := ssh.ParsePrivateKey([]byte(key))
		require.NoError(t, err)
		public, _, _, _, err := ssh.ParseAuthorizedKey([]byte(y.inside(number).AuthorizedKeys))
		require.NoError(t, err)
		require.Equal(t, signer.PublicKey().Marshal(), public.Marshal())
	}
	require.Equal(t, "[]\n", must("list", "-o", "json"))

	// The command prints the key to standard output, writes it to a file, or prints all fields as JSON.
	isKeyOf(1, must("add"))
	file := filepath.Join(dir, "key")
	out := must("add", "--key-file", file)
	require.Regexp(t, `^NAME +ID +CREATED +STATUS +PORTS\ndroplet02 +[0-9a-f]{12} +.* ago +Up \d seconds? `+
		`+0.0.0.0:2202->22 127.0.0.1:8002->80 127.0.0.1:44302->443\n`, out)
	require.NotContains(t, out, "PRIVATE KEY")
	key, err := os.ReadFile(file)
	require.NoError(t, err)
	isKeyOf(2, string(key))
	kept, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), kept.Mode())
	var added []shownDroplet
	require.NoError(t, json.Unmarshal([]byte(must("add", "--image", engine.Image, "-o", "json")), &added))
	isKeyOf(3, added[0].PrivateKey)
	require.Empty(t, added[1].PrivateKey)

	// An existing file is never overwritten, and a failed add creates no file.
	_, failure := lockbox("add", "--key-file", file)
	require.Contains(t, failure, "exit status 2")
	_, failure = lockbox("add", "--key-file", filepath.Join(dir, "none"), "--image", "missing:1")
	require.Contains(t, failure, "exit status 6")
	require.NoFileExists(t, filepath.Join(dir, "none"))
	require.Len(t, y.viewer.droplets("GET", "/list", nil), 3)

	// With a box.
	y.root.box("terminals")
	y.root.share("terminals", "manager", "createEntry", "readEntry")
	y.root.put("terminals", "db/url", `"postgres://db"`).expect(201)
	out = must("add", "--box", "terminals", "--env", "DATABASE_URL=db/url")
	require.NotContains(t, out, "PRIVATE KEY")
	require.Contains(t, y.inside(4).Environ, "DATABASE_URL=postgres://db")
	var inBox string
	require.NoError(t, json.Unmarshal(y.manager.get("terminals", "droplets%2Fdroplet04%2Fssh").expect(200).Body,
		&inBox))
	isKeyOf(4, inBox)

	require.Regexp(t, `(?m)^droplet02 .* Exited \(0\) .* -$`, must("stop", "droplet02"))
	require.Regexp(t, `(?m)^droplet02 .* Up `, must("start", "droplet02"))
	require.Regexp(t, `(?m)^droplet02 .* Up `, must("restart", "droplet02"))
	_, failure = lockbox("delete", "droplet02")
	require.Contains(t, failure, "--yes")
	require.NotContains(t, must("delete", "droplet02", "--yes"), "droplet02")
	_, failure = lockbox("delete", "droplet02", "--yes")
	require.Contains(t, failure, "No such container: droplet02")
	require.Contains(t, failure, "exit status 5")
	require.Equal(t, 4, strings.Count(must("list"), "\n"))
}
