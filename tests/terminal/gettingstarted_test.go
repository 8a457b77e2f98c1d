//go:build unix

package terminal

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/tests/live"
)

// TestGettingStarted types all of docs/getting-started.md into one bash at a terminal, against a new server.
func TestGettingStarted(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/getting-started.md")
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)```bash\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	require.Len(t, blocks, 7)
	folder := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(folder, "bin"), 0o700))
	require.NoError(t, os.Symlink(binary, filepath.Join(folder, "bin", "lockbox")))
	const ended = "a block has ended"
	script := "set -e -o pipefail; cd '" + folder + "'\n"
	for _, block := range blocks {
		script += block[1] + "echo '" + ended + "'\n"
	}
	script = strings.ReplaceAll(script, "http://127.0.0.1:5000", live.Start(t).URL)
	home := filepath.Join(folder, "home")
	require.NoError(t, os.Mkdir(home, 0o700))
	s := start(t, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TERM=dumb"}, "bash", "--norc", "-c", script)
	s.hidden("Password of root: ", "a long password")
	s.hidden("Once more: ", "a long password")
	for range len(blocks) - 1 {
		s.expect(ended)
	}
	s.expect(`entry\.restore +success`)
	s.expect(ended)
	s.ends(0)
	shown := s.String()
	assert.Contains(t, shown, "connecting to db.example.org with a password of 6 characters")
	assert.NotContains(t, shown, "s3cret")
	assert.NotContains(t, shown, "lbk1_")
}
