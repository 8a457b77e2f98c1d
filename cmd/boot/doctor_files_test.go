package boot

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/adapters/backup"
	"github.com/lockbox-go/lockbox/adapters/sealing"
)

// TestDoctorFiles verifies that doctor reports a file with a secret if other users can read, change or replace it.
func TestDoctorFiles(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		folder, file os.FileMode
		want         string
	}{
		"private":                    {0o755, 0o600, ""},
		"readable by the group":      {0o755, 0o640, ""},
		"writable by the group":      {0o755, 0o660, "the group can write to the file (mode 0660)"},
		"readable by all":            {0o755, 0o644, "other users can read the file (mode 0644)"},
		"writable by all":            {0o755, 0o666, "other users can write to the file (mode 0666)"},
		"readable, private folder":   {0o700, 0o444, ""},
		"folder writable by all":     {0o777, 0o600, "other users can replace the file"},
		"folder with the sticky bit": {0o777 | os.ModeSticky, 0o600, ""},
	} {
		top, err := os.MkdirTemp("/tmp", "lockbox-doctor-")
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, os.RemoveAll(top)) })
		require.NoError(t, os.Chmod(top, 0o755))
		dir := filepath.Join(top, "secrets")
		require.NoError(t, os.Mkdir(dir, 0o700))
		path := filepath.Join(dir, "key")
		require.NoError(t, os.WriteFile(path, []byte(doctorSecret+"\n"), 0o600))
		require.NoError(t, os.Chmod(path, c.file))
		require.NoError(t, os.Chmod(dir, c.folder))
		link := filepath.Join(top, "link")
		require.NoError(t, os.Symlink(path, link))
		for _, given := range []string{path, link} {
			got := exposure(given)
			require.Equal(t, c.want == "", got == "", "%s: %s", name, got)
			require.Contains(t, got, c.want, name)
		}
		check := byName(t, "LOCKBOX_SECRET_KEY_FILE="+path)["files"]
		require.Equal(t, c.want == "", check.Status == StatusOK, name)
	}
	require.Equal(t, "cannot be found", exposure(filepath.Join(t.TempDir(), "none")))
}

// TestDoctorFilesAboveTheFolder verifies that doctor checks every folder in the path of a file. doctor must report a
// file if other users can replace a folder or a link in its path.
func TestDoctorFilesAboveTheFolder(t *testing.T) {
	t.Parallel()
	const replaceable = "other users can replace the file"
	for name, c := range map[string]struct {
		outer, inner os.FileMode
		want         string
	}{
		"private":              {0o755, 0o755, ""},
		"inner writable":       {0o755, 0o777, replaceable},
		"outer writable":       {0o777, 0o755, replaceable},
		"outer, inner private": {0o777, 0o700, replaceable},
		"outer with sticky":    {0o777 | os.ModeSticky, 0o755, ""},
		"outer unreachable":    {0o700, 0o777, ""},
		"not searchable":       {0o776, 0o777, ""},
	} {
		top, err := os.MkdirTemp("/tmp", "lockbox-doctor-")
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, os.RemoveAll(top)) })
		require.NoError(t, os.Chmod(top, 0o755))
		outer, inner := filepath.Join(top, "outer"), filepath.Join(top, "outer", "inner")
		last := filepath.Join(inner, "last")
		require.NoError(t, os.MkdirAll(last, 0o700))
		path := filepath.Join(last, "key")
		require.NoError(t, os.WriteFile(path, []byte("secret"), 0o600))
		private := filepath.Join(top, "private-key")
		require.NoError(t, os.WriteFile(private, []byte("secret"), 0o600))
		link := filepath.Join(inner, "link")
		require.NoError(t, os.Symlink(private, link))
		require.NoError(t, os.Chmod(inner, c.inner))
		require.NoError(t, os.Chmod(outer, c.outer))
		for _, given := range []string{path, link} {
			got := exposure(given)
			require.Equal(t, c.want == "", got == "", "%s: %s", name, got)
			require.Contains(t, got, c.want, name)
		}
	}
}

// TestDoctorChecksEverySecret verifies that doctor checks the files of all secret settings and no other files.
func TestDoctorChecksEverySecret(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "missing")
	secrets := 0
	for _, setting := range Settings() {
		check := checkFiles([]string{setting.Name + "_FILE=" + path})
		require.Equal(t, setting.Secret, check.Status == StatusError, setting.Name)
		if setting.Secret {
			secrets++
		}
	}
	require.GreaterOrEqual(t, secrets, 8)
	for _, name := range []string{"DATABASE_URL", "TRACES_HEADERS", "AUDIT_STREAM_HEADER"} {
		check := checkFiles([]string{"LOCKBOX_" + name + "_FILE=" + path})
		require.Equal(t, StatusError, check.Status, name)
	}
}

// TestDoctorBackups verifies that doctor reports a newest backup that is too old, and a last verification that is too
// long ago or missing. doctor must ignore a forged manifest and a manifest whose dump is missing.
func TestDoctorBackups(t *testing.T) {
	t.Parallel()
	config, _, err := ReadEnvironment([]string{"LOCKBOX_SECRET_KEY=" + doctorSecret})
	require.NoError(t, err)
	now := time.Now().UTC()
	for name, c := range map[string]struct {
		created, verified time.Duration // ages
		secret            string
		noDump            bool
		want              Status
		detail            string
	}{
		"new and verified": {time.Hour, 20 * 24 * time.Hour, doctorSecret, false, StatusOK,
			"the newest backup is from "},
		"old": {72 * time.Hour, time.Hour, doctorSecret, false, StatusWarning,
			"the newest backup is from"},
		"never verified": {time.Hour, 0, doctorSecret, false, StatusWarning, "no backup was verified"},
		"verified long ago": {time.Hour, 90 * 24 * time.Hour, doctorSecret, false, StatusWarning,
			"the last verification was on"},
		"forged":       {time.Hour, time.Hour, otherSecret, false, StatusError, "an authentic manifest"},
		"deleted dump": {time.Hour, time.Hour, doctorSecret, true, StatusError, "no complete backup"},
	} {
		config := config
		config.BackupDir = t.TempDir()
		created := now.Add(-c.created)
		manifest := backup.Manifest{CreatedAt: created, File: backup.Name(created) + ".dump"}
		if c.verified > 0 {
			manifest.VerifiedAt = now.Add(-c.verified)
		}
		secret, err := sealing.ParseSecret(c.secret)
		require.NoError(t, err)
		path := backup.ManifestPath(config.BackupDir, backup.Name(manifest.CreatedAt))
		require.NoError(t, manifest.Write(path, sealing.NewManifestAuthenticator(secret).Code))
		if !c.noDump {
			require.NoError(t, os.WriteFile(filepath.Join(config.BackupDir, manifest.File), nil, 0o600))
		}
		check := config.checkBackups(now)
		require.Equal(t, c.want, check.Status, "%s: %v", name, check)
		require.Contains(t, check.Detail, c.detail, name)
	}
	require.True(t, strings.HasPrefix(backup.Name(now), "lockbox-"))
}
