package profile

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestIdentities checks that each account has its own identity, in a file that only the user can read.
func TestIdentities(t *testing.T) {
	t.Parallel()
	store := IdentityStore{filepath.Join(t.TempDir(), "identities")}
	assert.True(t, store.Empty())
	_, ok, err := store.Load("https://a", "anna")
	require.NoError(t, err)
	assert.False(t, ok)
	saved := Identity{
		URL:      "https://a",
		Username: "anna",
		Text:     "lbid1_x",
		Previous: []string{"lbid1_y"},
	}
	require.NoError(t, store.Save(saved))
	assert.False(t, store.Empty())
	for _, name := range []string{"anna", "Anna"} {
		got, ok, err := store.Load("https://a", name)
		require.NoError(t, err)
		assert.True(t, ok)
		assert.Equal(t, saved, got)
	}
	for _, other := range [][2]string{{"https://b", "anna"}, {"https://a", "boris"}, {"https://a\nanna", ""}} {
		_, ok, err := store.Load(other[0], other[1])
		require.NoError(t, err)
		assert.False(t, ok, other)
	}
	path := store.path("https://a", "anna")
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	require.NoError(t, os.WriteFile(path, []byte(`{"identity": "lbid1_secret`), 0o600))
	_, _, err = store.Load("https://a", "anna")
	require.ErrorContains(t, err, "lockbox identity unlock")
	assert.NotContains(t, err.Error(), "lbid1_secret")
	deleted, err := store.Delete("https://a", "anna")
	require.NoError(t, err)
	assert.True(t, deleted)
	deleted, err = store.Delete("https://a", "anna")
	require.NoError(t, err)
	assert.False(t, deleted)
}
