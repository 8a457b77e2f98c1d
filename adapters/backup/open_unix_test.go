//go:build unix

package backup

import (
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestNamedPipes verifies that Read and Open refuse named pipes immediately, and do not wait for a writer.
func TestNamedPipes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	manifest := ManifestPath(dir, "name")
	require.NoError(t, syscall.Mkfifo(manifest, 0o600))
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "name.dump"), 0o600))
	_, err := Read(manifest, authentic)
	require.ErrorContains(t, err, "is not a regular file")
	_, err = Open(manifest, described("genuine"))
	require.ErrorContains(t, err, "is not a regular file")
	require.False(t, HasDump(manifest, described("")))
}
