//go:build unix

package terminal

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestComingFrom runs what docs/coming-from.md says to type here, the last cell of each row, in the order of the page.
func TestComingFrom(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.api("POST", "/users", `{"username":"anna","password":"anna-password"}`, nil)
	h.api("POST", "/users", `{"username":"billing","password":"billing-password"}`, nil)
	environ := h.environ("LOCKBOX_API_URL="+h.server.URL, "LOCKBOX_API_KEY="+h.root,
		"LOCKBOX_ENCRYPTION_KEY="+encryptionKey)
	environ[0] = "PATH=" + filepath.Dir(binary) + string(os.PathListSeparator) + os.Getenv("PATH")
	folder := t.TempDir()
	for name, text := range map[string]string{
		"app.json": `{"password":"x"}`, ".env": "DB_PASSWORD='hunter2 $5'\n", ".env.next": "DB_PASSWORD=other\n",
		"server": "#!/bin/sh\nexec env\n",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(text), 0o700))
	}
	page, err := os.ReadFile("../../docs/coming-from.md")
	require.NoError(t, err)
	rows := regexp.MustCompile("(?m)^\\| .* \\| `([^`]*lockbox [^`]*)` \\|$").FindAllStringSubmatch(string(page), -1)
	require.Greater(t, len(rows), 25)
	shown := map[string]string{}
	for _, row := range rows {
		line := strings.ReplaceAll(row[1], `\|`, "|")
		command := exec.Command("bash", "-e", "-o", "pipefail", "-c", line)
		command.Env, command.Dir = environ, folder
		out, err := command.CombinedOutput()
		require.NoError(t, err, "%s\n%s", line, out)
		shown[line] = string(out)
	}
	assert.Equal(t, "x", shown["lockbox get prod/app --field password --raw"])
	assert.Equal(t, "hunter2 $5", shown["lockbox get prod/app --field DB_PASSWORD --raw"])
	assert.Contains(t, shown["lockbox run prod/app prod/token -- ./server"], "\nDB_PASSWORD=hunter2 $5\n")
	assert.Contains(t, shown["lockbox run prod/app prod/token -- ./server"], "\nTOKEN=abc\n")
	assert.Contains(t, shown["lockbox import prod/app .env.next --dry-run"], "changed  DB_PASSWORD")
}
