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

// TestGettingStartedPage runs all bash blocks of docs/getting-started.md on a terminal, with a single bash process and
// a new server. The block for the invited colleague runs with a separate home directory. The block contains an example
// of the command that `lockbox users invite` prints. The test replaces this example with the command that was actually
// printed. The blocks must not create files in the working directory.
func TestGettingStartedPage(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/getting-started.md")
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)```bash\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	require.Len(t, blocks, 9)
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "bin"), 0o700))
	require.NoError(t, os.Symlink(binary, filepath.Join(dir, "bin", "lockbox")))
	const ended = "end of block"
	script := "set -e -o pipefail; cd '" + dir + "'\n"
	joined := 0
	for _, block := range blocks {
		commands := strings.Replace(block[1], "users invite anna\n", "users invite anna | tee ~/line\n", 1)
		if strings.Contains(commands, "lockbox join lbi1_…") {
			joined++
			commands = `(LINE=$(cat ~/line); export HOME="$HOME/anna"; mkdir "$HOME"` + "\n" +
				strings.Replace(commands, "lockbox join lbi1_…", "$LINE", 1) + ")\n"
		}
		script += commands + "echo '" + ended + "'\n"
	}
	require.Equal(t, 1, joined)
	// The page runs `make run`, which creates this file. The test does not run `make run`, and creates the file itself.
	require.NoError(t, os.Mkdir(filepath.Join(dir, ".lockbox"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, ".lockbox", "init-token"), []byte("token\n"), 0o600))
	script = strings.ReplaceAll(script, "http://127.0.0.1:5000", live.Start(t, "INIT_TOKEN=token").URL)
	home := filepath.Join(dir, "home")
	require.NoError(t, os.Mkdir(home, 0o700))
	s := start(t, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TERM=dumb"}, "bash", "--norc", "-c", script)
	s.hidden("Password for root: ", "a long password")
	s.hidden("Repeat: ", "a long password")
	s.declines()
	s.expect("lockbox join lbi1_")
	s.hidden("New password: ", "her own password")
	s.hidden("Repeat: ", "her own password")
	s.expect(`two-factor authentication.*\[y/N\] `)
	s.enter("n")
	s.declines()
	s.expect(`username +anna`)
	s.expect(ended)
	s.expect(ended)
	s.expect(`entry\.restore +success`)
	s.expect(ended)
	s.ends(0)
	output := s.String()
	assert.Contains(t, output, "connecting to db.example.org with a password of 6 characters")
	assert.NotContains(t, output, "s3cret")
	assert.NotContains(t, output, "lbk1_")
	written, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, written, 3, ".lockbox, bin and home")
}
