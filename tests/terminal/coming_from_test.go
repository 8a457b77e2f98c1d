//go:build unix

package terminal

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestComingFromPage runs the lockbox commands of docs/coming-from.md, in the order of the page. The commands are in
// the last cell of each row.
func TestComingFromPage(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.api("POST", "/users", `{"username":"anna","password":"anna-password"}`, nil)
	h.api("POST", "/users", `{"username":"billing","password":"billing-password"}`, nil)
	environ := h.environ("LOCKBOX_API_URL="+h.server.URL, "LOCKBOX_API_KEY="+h.root,
		"LOCKBOX_ENCRYPTION_KEY="+encryptionKey)
	environ[0] = "PATH=" + filepath.Dir(binary) + string(os.PathListSeparator) + os.Getenv("PATH")
	dir := t.TempDir()
	for name, text := range map[string]string{
		"app.json": `{"password":"x"}`, ".env": "DB_PASSWORD='hunter2 $5'\n", ".env.next": "DB_PASSWORD=other\n",
		"server": "#!/bin/sh\nexec env\n",
	} {
		syscall.ForkLock.RLock() // a child process that inherits the open file would prevent its execution
		err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700)
		syscall.ForkLock.RUnlock()
		require.NoError(t, err)
	}
	page, err := os.ReadFile("../../docs/coming-from.md")
	require.NoError(t, err)
	rows := regexp.MustCompile("(?m)^\\| .* \\| `([^`]*lockbox [^`]*)` \\|$").FindAllStringSubmatch(string(page), -1)
	require.Greater(t, len(rows), 25)
	output := map[string]string{}
	for _, row := range rows {
		line := strings.ReplaceAll(row[1], `\|`, "|")
		command := exec.Command("bash", "-e", "-o", "pipefail", "-c", line)
		command.Env, command.Dir = environ, dir
		out, err := command.CombinedOutput()
		require.NoError(t, err, "%s\n%s", line, out)
		output[line] = string(out)
	}
	assert.Equal(t, "x", output["lockbox get prod/app --field password --raw"])
	assert.Equal(t, "hunter2 $5", output["lockbox get prod/app --field DB_PASSWORD --raw"])
	assert.Contains(t, output["lockbox run prod/app prod/token -- ./server"], "\nDB_PASSWORD=hunter2 $5\n")
	assert.Contains(t, output["lockbox run prod/app prod/token -- ./server"], "\nTOKEN=abc\n")
	assert.Contains(t, output["lockbox import prod/app .env.next --dry-run"], "changed  DB_PASSWORD")
}
