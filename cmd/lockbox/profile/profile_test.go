package profile_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/cmd/lockbox/profile"
)

func TestLoadMissingFile(t *testing.T) {
	t.Parallel()
	book, err := profile.Load(filepath.Join(t.TempDir(), "lockbox", "profiles.json"))
	require.NoError(t, err)
	assert.Empty(t, book.Names())
	assert.Equal(t, profile.Default, book.Choose(""))
}

// TestFileModes checks that only the user can read the profile file, and that a change leaves no temporary file behind.
func TestFileModes(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lockbox", "profiles.json")
	put(t, path, "work", profile.Profile{URL: "http://127.0.0.1:5000", Token: "t"})
	file, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), file.Mode().Perm())
	folder, err := os.Stat(filepath.Dir(path))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o700), folder.Mode().Perm())
	left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".profiles-*"))
	require.NoError(t, err)
	assert.Empty(t, left, "no temporary file stays")
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "profiles.json")
	want := profile.Profile{
		URL:                  "https://lockbox.example.org",
		Username:             "anna",
		Token:                "t",
		RefreshToken:         "r",
		ExpiresAt:            time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC),
		EncryptionKeyCommand: "pass lockbox",
	}
	put(t, path, "work", want)
	book, err := profile.Load(path)
	require.NoError(t, err)
	assert.Equal(t, want, book.Profiles["work"])
	signedOut := want.SignedOut()
	assert.False(t, signedOut.SignedIn())
	assert.Equal(t, "pass lockbox", signedOut.EncryptionKeyCommand)
}

// TestConcurrentChanges checks that no change is lost if several changes run at the same time.
func TestConcurrentChanges(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "profiles.json")
	var changes sync.WaitGroup
	for i := range 20 {
		changes.Go(func() { put(t, path, "p"+strconv.Itoa(i), profile.Profile{URL: "http://127.0.0.1:1"}) })
	}
	changes.Wait()
	book, err := profile.Load(path)
	require.NoError(t, err)
	assert.Len(t, book.Names(), 20)
}

func TestFailedChange(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "profiles.json")
	put(t, path, "work", profile.Profile{URL: "http://127.0.0.1:1"})
	err := profile.Change(path, func(book *profile.Book) error {
		delete(book.Profiles, "work")
		return errors.New("no")
	})
	require.Error(t, err)
	book, err := profile.Load(path)
	require.NoError(t, err)
	assert.Equal(t, []string{"work"}, book.Names())
}

// TestInvalidFile checks that the error for an invalid file contains its path but none of its contents.
func TestInvalidFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "profiles.json")
	require.NoError(t, os.WriteFile(path, []byte(`{"profiles":{"work":{"token":secret-token}}}`), 0o600))
	_, err := profile.Load(path)
	require.ErrorContains(t, err, path)
	assert.NotContains(t, err.Error(), "secret-token")
}

func TestCheckName(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"default", "a", "prod-2.eu_west"} {
		assert.NoError(t, profile.CheckName(good))
	}
	for _, bad := range []string{"", "-x", "a b", "a/b", "ä"} {
		assert.Error(t, profile.CheckName(bad), bad)
	}
}

func put(t *testing.T, path, name string, p profile.Profile) {
	t.Helper()
	assert.NoError(t, profile.Change(path, func(book *profile.Book) error {
		book.Profiles[name] = p
		return nil
	}))
}

// TestUnusableDirectory uses paths in which a file takes the place of a directory. Load must return an empty book.
// CheckWritable and Change must return an error with the path and a remedy.
func TestUnusableDirectory(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for _, path := range []string{
		filepath.Join(file, "profiles.json"),
		filepath.Join(file, "lockbox", "profiles.json"),
		filepath.Join(file, ".config", "lockbox", "profiles.json"),
	} {
		book, err := profile.Load(path)
		require.NoError(t, err)
		assert.Empty(t, book.Names())
		for _, err := range []error{
			profile.CheckWritable(path),
			profile.Change(path, func(*profile.Book) error { return nil }),
		} {
			require.ErrorContains(t, err, file)
			require.ErrorContains(t, err, "XDG_CONFIG_HOME")
		}
	}
	path := filepath.Join(t.TempDir(), "lockbox", "profiles.json")
	require.NoError(t, profile.CheckWritable(path))
	left, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	assert.Empty(t, left)
}

// TestLinkedFile changes a profile file that is a symbolic link. The link must stay, and its target must have the new
// contents.
func TestLinkedFile(t *testing.T) {
	t.Parallel()
	target, link := filepath.Join(t.TempDir(), "target.json"), filepath.Join(t.TempDir(), "profiles.json")
	put(t, target, "old", profile.Profile{})
	require.NoError(t, os.Symlink(target, link))
	put(t, link, "new", profile.Profile{})
	info, err := os.Lstat(link)
	require.NoError(t, err)
	assert.Equal(t, os.ModeSymlink, info.Mode().Type())
	book, err := profile.Load(target)
	require.NoError(t, err)
	assert.Equal(t, []string{"new", "old"}, book.Names())
}

func TestHoldsAPIKey(t *testing.T) {
	t.Parallel()
	later := time.Now().Add(time.Hour)
	for _, p := range []profile.Profile{
		{Token: "t"},
		{Token: "t", APIKeyID: "1"},
		{Token: "t", APIKeyID: "1", ExpiresAt: later},
	} {
		assert.True(t, p.HoldsAPIKey())
		assert.False(t, p.SignedOut().HoldsAPIKey())
	}
	for _, p := range []profile.Profile{{}, {Token: "t", ExpiresAt: later}, {Token: "t", RefreshToken: "r"}} {
		assert.False(t, p.HoldsAPIKey())
	}
}
