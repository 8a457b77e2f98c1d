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

// TestGettingStartedPage runs all bash blocks of docs/getting-started.md in one bash on a terminal, against a new
// server.
func TestGettingStartedPage(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/getting-started.md")
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)```bash\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	require.Len(t, blocks, 7)
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "bin"), 0o700))
	require.NoError(t, os.Symlink(binary, filepath.Join(dir, "bin", "lockbox")))
	const ended = "end of block"
	script := "set -e -o pipefail; cd '" + dir + "'\n"
	for _, block := range blocks {
		script += block[1] + "echo '" + ended + "'\n"
	}
	script = strings.ReplaceAll(script, "http://127.0.0.1:5000", live.Start(t).URL)
	home := filepath.Join(dir, "home")
	require.NoError(t, os.Mkdir(home, 0o700))
	s := start(t, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TERM=dumb"}, "bash", "--norc", "-c", script)
	s.hidden("Password for root: ", "a long password")
	s.hidden("Repeat: ", "a long password")
	for range len(blocks) - 1 {
		s.expect(ended)
	}
	s.expect(`entry\.restore +success`)
	s.expect(ended)
	s.ends(0)
	output := s.String()
	assert.Contains(t, output, "connecting to db.example.org with a password of 6 characters")
	assert.NotContains(t, output, "s3cret")
	assert.NotContains(t, output, "lbk1_")
}
