//go:build e2e

package keys

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestVectorsInJavaScript checks the vectors with JavaScript libraries. It also opens box keys that these libraries
// wrapped. testdata/javascript pins the versions of the npm packages.
func TestVectorsInJavaScript(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS("testdata/javascript")))
	install := exec.CommandContext(t.Context(), "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	install.Dir = dir
	out, err := install.CombinedOutput()
	require.NoError(t, err, "%s", out)

	file, err := filepath.Abs(vectorFile)
	require.NoError(t, err)
	check := exec.CommandContext(t.Context(), "node", "check.mjs", file)
	check.Dir = dir
	check.Stderr = os.Stderr
	out, err = check.Output()
	require.NoError(t, err, "%s", out)

	var wrapped [][]string
	require.NoError(t, json.Unmarshal(out, &wrapped))
	all := readVectors(t).Keyrings
	require.Len(t, wrapped, len(all))
	for i, v := range all {
		require.Len(t, wrapped[i], len(v.Recipients))
		for j, r := range v.Recipients {
			raw, ok := decode64(wrapped[i][j], wrappedLen)
			require.True(t, ok)
			head, ok := ParseHead(v.Head)
			require.True(t, ok)
			id := identityOf([32]byte(r.Seed))
			key, ok := id.unwrap(wrapInfo(head.Place, head.Key, id.Fingerprint()), raw)
			require.True(t, ok, v.Name)
			require.Equal(t, []byte(v.Key), key.bytes())
		}
	}
}
