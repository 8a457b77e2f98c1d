package backup

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// described returns the manifest of a dump. The argument is the content of the dump.
func described(content string) Manifest {
	sum := sha256.Sum256([]byte(content))
	return Manifest{File: "name.dump", Bytes: int64(len(content)), SHA256: hex.EncodeToString(sum[:])}
}

// TestOpenCopies verifies that a change of the dump after the check does not affect the restored content. It also
// verifies that the open copy has no name in the temporary folder, and that Open refuses a dump whose content does not
// match the manifest.
func TestOpenCopies(t *testing.T) {
	temp, dir := t.TempDir(), t.TempDir()
	t.Setenv("TMPDIR", temp)
	path := filepath.Join(dir, "name.dump")
	require.NoError(t, os.WriteFile(path, []byte("genuine"), 0o600))
	dump, err := Open(ManifestPath(dir, "name"), described("genuine"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, []byte("changed"), 0o600)) // the same file
	info, err := dump.file.Stat()
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
	content, err := io.ReadAll(dump.file)
	require.NoError(t, err)
	require.Equal(t, "genuine", string(content))
	for _, other := range []string{"genuine", "changed and longer", "short"} {
		_, err = Open(ManifestPath(dir, "name"), described(other))
		require.ErrorIs(t, err, errDamaged, other)
	}
	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	require.Empty(t, left)
	require.NoError(t, dump.Close())
}

// TestHasDump verifies that HasDump returns true only for a regular file of the right size.
func TestHasDump(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	manifest, m := ManifestPath(dir, "name"), described("genuine")
	require.False(t, HasDump(manifest, m), "missing")
	path := filepath.Join(dir, m.File)
	require.NoError(t, os.Mkdir(path, 0o700))
	require.False(t, HasDump(manifest, m), "a folder")
	require.NoError(t, os.Remove(path))
	require.NoError(t, os.WriteFile(path, []byte("short"), 0o600))
	require.False(t, HasDump(manifest, m), "short")
	require.NoError(t, os.WriteFile(path, []byte("genuine"), 0o600))
	require.True(t, HasDump(manifest, m))
}
