package backup

import (
	"crypto/sha256"
	"crypto/subtle"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The functions code and authentic replace the production functions, which need the server's secret.
func code(text []byte) ([]byte, error) {
	sum := sha256.Sum256(text)
	return sum[:], nil
}

func authentic(text, given []byte) bool {
	want, _ := code(text)
	return subtle.ConstantTimeCompare(want, given) == 1
}

// TestManifest writes a manifest and reads it back. It verifies that the manifest is unchanged, that its file has mode
// 0600, and that Read refuses a file that was changed in any way.
func TestManifest(t *testing.T) {
	t.Parallel()
	path := ManifestPath(t.TempDir(), "name")
	m := Manifest{
		CreatedAt:  time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC),
		File:       "name.dump",
		Bytes:      7,
		ServerKeys: []Key{{ID: "id", Purpose: "entry", Generation: 1}},
		Tables:     []Table{{Name: "public.users", Rows: 3, Checksum: "-5"}},
	}
	require.NoError(t, m.Write(path, code))
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
	read, err := Read(path, authentic)
	require.NoError(t, err)
	m.Format, m.Code = format, read.Code
	require.Equal(t, m, read)
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	for from, to := range map[string]string{
		`"rows": 3`: `"rows": 4`, "name.dump": "evil.dump", `"bytes": 7`: `"bytes": 8`, `"code": "`: `"code": "AA`,
	} {
		changed := strings.Replace(string(content), from, to, 1)
		require.NotEqual(t, string(content), changed)
		require.NoError(t, os.WriteFile(path, []byte(changed), 0o600))
		_, err := Read(path, authentic)
		require.Error(t, err, to)
	}
	m.File = "../name.dump"
	require.NoError(t, m.Write(path, code))
	_, err = Read(path, authentic)
	require.ErrorContains(t, err, "give the dump and the manifest their original names")
	m.File = "older.dump"
	require.NoError(t, m.Write(path, code))
	_, err = Read(path, authentic)
	require.ErrorContains(t, err, `is the manifest of the dump "older.dump"`)
}

// TestCompare verifies that each kind of difference is reported, and that equal content has no difference.
func TestCompare(t *testing.T) {
	t.Parallel()
	made := func(change func(*Manifest)) Manifest {
		m := Manifest{
			Installation:  "one",
			SchemaVersion: 9,
			ServerKeys:    []Key{{"id", "entry", 1}},
			Tables:        []Table{{"public.a", 1, "1"}, {"public.b", 2, "2"}},
		}
		change(&m)
		return m
	}
	original := made(func(*Manifest) {})
	require.Empty(t, original.Compare(made(func(*Manifest) {})))
	for want, change := range map[string]func(*Manifest){
		"installation is one in the backup, but two in the database": func(m *Manifest) { m.Installation = "two" },
		"schema version is 000009 in the backup, but 000010":         func(m *Manifest) { m.SchemaVersion = 10 },
		"server key id (entry, generation 1) is not in the database": func(m *Manifest) { m.ServerKeys[0].ID = "two" },
		"number of server keys is 1 in the backup, but 0":            func(m *Manifest) { m.ServerKeys = nil },
		"table public.a is not in the database":                      func(m *Manifest) { m.Tables = m.Tables[1:] },
		"rows of public.b is 2 in the backup, but 3 in the database": func(m *Manifest) { m.Tables[1].Rows = 3 },
		"public.a has the same number of rows in the backup and in":  func(m *Manifest) { m.Tables[0].Checksum = "9" },
	} {
		require.Contains(t, strings.Join(original.Compare(made(change)), "\n"), want)
	}
}

// TestPrepare verifies that a new folder is private, and that only old partial files are removed.
func TestPrepare(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "backups")
	require.NoError(t, Prepare(dir))
	info, err := os.Stat(dir)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	for name, age := range map[string]time.Duration{
		"old.dump.partial": 2 * stalePartial, "new.dump.partial": 0, "old.dump": 2 * stalePartial,
	} {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, nil, 0o600))
		at := time.Now().Add(-age)
		require.NoError(t, os.Chtimes(path, at, at))
	}
	require.NoError(t, Prepare(dir))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 2)
	require.Equal(t, "new.dump.partial", entries[0].Name())
	require.Equal(t, "old.dump", entries[1].Name())
}

// TestNewest verifies the order of the paths, their maximum number, and the error for an empty folder.
func TestNewest(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := Newest(dir, 1)
	require.ErrorIs(t, err, ErrNoBackup)
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, age := range []time.Duration{time.Hour, 0, 48 * time.Hour} {
		require.NoError(t, Manifest{}.Write(ManifestPath(dir, Name(at.Add(-age))), code))
	}
	newest, err := Newest(dir, 2)
	require.NoError(t, err)
	require.Equal(t, []string{
		filepath.Join(dir, "lockbox-20260102T030405Z.manifest.json"),
		filepath.Join(dir, "lockbox-20260102T020405Z.manifest.json"),
	}, newest)
}
