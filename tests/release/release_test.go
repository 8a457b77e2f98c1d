//go:build e2e && linux

package release

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestReleaseIsReproducible builds a release of one target twice and compares the files.
func TestReleaseIsReproducible(t *testing.T) {
	t.Parallel()
	verify := exec.CommandContext(t.Context(), "make", "-C", "../..", "--no-print-directory", "verify-release",
		"VERSION=v0.0.1", "RELEASE_TARGETS=linux/amd64")
	out, err := verify.CombinedOutput()
	require.NoError(t, err, "%s", out)
	for _, file := range []string{"-linux-amd64", "-amd64.deb", "-amd64.rpm", ".cdx.json"} {
		require.Contains(t, string(out), "lockbox-v0.0.1"+file+"\n")
	}
	require.Equal(t, 4, strings.Count(string(out), "  lockbox-v0.0.1"))
}
