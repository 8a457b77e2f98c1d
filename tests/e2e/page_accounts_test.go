//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/tests/pgtest"
)

const pageAPI = "API=http://127.0.0.1:5000/api/v1\n"

// TestTwoFactorPageExamples runs the examples of docs/two-factor.md in bash. It uses the shipped program, a server
// without an owner, and oathtool in place of the phone.
func TestTwoFactorPageExamples(t *testing.T) {
	t.Parallel()
	_, rest, found := strings.Cut(page(t, "docs/two-factor.md"), "```bash\n"+pageAPI)
	block, _, ended := strings.Cut(rest, "```")
	require.True(t, found && ended)
	p := serve(t, pgtest.New(t))
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "bin"), 0o700))
	require.NoError(t, os.Symlink(binary(t), filepath.Join(dir, "bin", "lockbox")))
	bash := exec.CommandContext(t.Context(), "bash", "--norc")
	bash.Dir, bash.Env = dir, p.cmd.Env
	bash.Stdin = strings.NewReader("API=" + p.url + "/api/v1\n" + block)
	out, err := bash.Output()
	require.NoError(t, err, "the page's examples need bash, curl and oathtool (Debian: apt install oathtool)")
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	for i, want := range []string{
		`\[{"username":"root","group":"owner","created":"[^"]+"}\]`,
		`\[{"username":"root",.*},{"username":"anna","group":"manager",.*}\]`,
		`{"error":"Access denied","errorId":912}`,
		`{"error":"Refresh token not found","errorId":910}`,
		`{"error":"Access token not found","errorId":908}`,
		`{"status":"ok"}`,
		`{"error":"Access token not found","errorId":908}`,
	} {
		require.Regexp(t, regexp.MustCompile("^"+strings.NewReplacer("{", `\{`, "}", `\}`).Replace(want)+"$"), lines[i])
	}
	require.Len(t, lines, 7)
}
