package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// installOver runs lockbox install in a new folder and returns the path of the copy. If content is not "", installOver
// first writes a file with this content and mode to the same path.
func installOver(t *testing.T, content string, mode os.FileMode) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "lockbox")
	if content != "" {
		require.NoError(t, os.WriteFile(to, []byte(content), mode))
	}
	program := root()
	program.SetArgs([]string{"install", "--to", to})
	require.NoError(t, program.ExecuteContext(t.Context()))
	return to
}

// TestInstall installs to a new path and over existing files with different modes, and verifies each copy.
func TestInstall(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	require.NoError(t, err)
	want, err := os.ReadFile(self)
	require.NoError(t, err)
	for name, before := range map[string]struct {
		content string
		mode    os.FileMode
	}{
		"new":       {},
		"writable":  {"an older version", 0o644},
		"read-only": {"an older version", 0o400},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			to := installOver(t, before.content, before.mode)
			got, err := os.ReadFile(to)
			require.NoError(t, err)
			assert.Equal(t, len(want), len(got))
			assert.Equal(t, want[:4096], got[:4096])
			info, err := os.Stat(to)
			require.NoError(t, err)
			assert.Equal(t, os.FileMode(0o755), info.Mode().Perm())
			others, err := os.ReadDir(filepath.Dir(to))
			require.NoError(t, err)
			assert.Len(t, others, 1, "no temporary file is left")
		})
	}
}

// TestInstallFails verifies that a failed copy returns a helpful error and leaves no file behind.
func TestInstallFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	assert.ErrorContains(t, install(os.Args[0], dir), "is a folder: name a file in it, such as "+dir+"/lockbox")
	assert.ErrorIs(t, install(os.Args[0], filepath.Join(dir, "missing", "lockbox")), os.ErrNotExist)
	assert.ErrorIs(t, install(filepath.Join(dir, "missing"), filepath.Join(dir, "lockbox")), os.ErrNotExist)
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, files)
}
