//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/cmd/boot"
	"github.com/lockbox-go/lockbox/domain/serverkeys"
	"github.com/lockbox-go/lockbox/tests/live"
	"github.com/lockbox-go/lockbox/tests/pgtest"
)

// execute runs an SQL statement directly on a database. An attacker or an operator can do the same without Lockbox.
func execute(t *testing.T, database, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), database)
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), sql)
	require.NoError(t, err)
	require.NoError(t, conn.Close(t.Context()))
}

// newBackup makes a backup of a database with entries and users.
func newBackup(t *testing.T) (s *server, dir string, report boot.BackupReport) {
	t.Helper()
	s = start(t)
	root := s.initialize()
	root.user("anna")
	root.do("POST", "/boxes/team", nil).expect(201)
	for i := range 3 {
		root.put("team", fmt.Sprintf("entry-%d", i), `"canary-value"`).expect(201)
	}
	root.put("team", "entry-0", `"second"`).expect(201)
	dir = filepath.Join(t.TempDir(), "backups")
	report, err := boot.CreateBackup(t.Context(), configOf(t, s.db), dir)
	require.NoError(t, err)
	return s, dir, report
}

// TestBackupIsVerified makes a backup and verifies it on a private PostgreSQL server. It reads the metrics of a server
// before and after the verification.
func TestBackupIsVerified(t *testing.T) {
	t.Parallel()
	s, dir, report := newBackup(t)
	running := live.StartOn(t, s.db, "BACKUP_DIR="+dir)
	created := fmt.Sprintf("\nlockbox_backup_last_timestamp_seconds %g\n", float64(report.CreatedAt.Unix()))
	require.Contains(t, scrape(t, running.URL), created)
	require.Contains(t, scrape(t, running.URL), "\nlockbox_backup_last_verified_timestamp_seconds 0\n")

	// The command needs the secret and the folder of the backups, but not the database.
	config, _, err := boot.ReadEnvironment([]string{"LOCKBOX_SECRET_KEY=" + testSecret, "LOCKBOX_BACKUP_DIR=" + dir})
	require.NoError(t, err)
	done, err := boot.VerifyBackup(t.Context(), config, "", "")
	require.NoError(t, err)
	require.Equal(t, report, done.BackupReport)
	require.Equal(t, 4, done.Opened.Entries)
	require.Equal(t, 2, done.Opened.Passwords)

	verified := live.StartOn(t, s.db, "BACKUP_DIR="+dir)
	require.NotContains(t, scrape(t, verified.URL), "\nlockbox_backup_last_verified_timestamp_seconds 0\n")
	require.NotContains(t, scrape(t, s.url), "lockbox_backup_", "a server without the setting does not report")
}

// TestBackupWithHostileSQL verifies a backup of a database in which an attacker has created a function. A constraint
// calls the function during the restore. The function would run a program if its caller were a superuser.
func TestBackupWithHostileSQL(t *testing.T) {
	t.Parallel()
	s, dir, _ := newBackup(t)
	open, err := os.MkdirTemp("/tmp", "lockbox-test-") // PostgreSQL's user can write here
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(open)) })
	require.NoError(t, os.Chmod(open, 0o777))
	marker := filepath.Join(open, "marker")
	execute(t, s.db, `CREATE FUNCTION public.f() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
		IF (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = session_user) AND
			current_database() = 'scratch' THEN EXECUTE $c$COPY (SELECT 1) TO PROGRAM 'cat > `+marker+`'$c$; END IF;
		RETURN true; END $$;
		ALTER TABLE system ADD CHECK (public.f())`)
	report, err := boot.CreateBackup(t.Context(), configOf(t, s.db), filepath.Join(dir, "hostile"))
	require.NoError(t, err)
	_, err = boot.VerifyBackup(t.Context(), configOf(t, s.db), report.Manifest, "")
	require.NoError(t, err)
	require.NoFileExists(t, marker)
}

// scrape returns the metrics of a server.
func scrape(t *testing.T, url string) string {
	t.Helper()
	response, err := http.Get(url + "/metrics")
	require.NoError(t, err)
	defer func() { require.NoError(t, response.Body.Close()) }()
	var text bytes.Buffer
	_, err = text.ReadFrom(response.Body)
	require.NoError(t, err)
	return text.String()
}

// TestBackupFiles verifies that the files are private, and that neither the manifest nor the dump contains a secret.
func TestBackupFiles(t *testing.T) {
	t.Parallel()
	_, _, report := newBackup(t)
	for _, path := range []string{report.Manifest, report.Dump} {
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode(), path)
	}
	content, err := os.ReadFile(report.Manifest)
	require.NoError(t, err)
	for _, canary := range []string{testSecret, generatedKey, "canary-value", "root", "anna", "team", "entry-0"} {
		require.NotContains(t, string(content), canary)
	}
}

// TestBackupScratchDatabase verifies a backup by restoring it into a given scratch database. The scratch database must
// be empty before the verification. It must also be empty after the verification, even if the verification fails.
func TestBackupScratchDatabase(t *testing.T) {
	t.Parallel()
	s, _, report := newBackup(t)
	_, err := boot.VerifyBackup(t.Context(), configOf(t, s.db), report.Manifest, s.db)
	require.ErrorContains(t, err, "the scratch database must be empty, but it has the table public.")
	s.as("").do("GET", "/readyz", nil).expect(200)
	_, err = boot.VerifyBackup(t.Context(), configOf(t, s.db), report.Manifest, pgtest.Empty(t))
	require.ErrorContains(t, err, "of the scratch database has superuser rights")

	scratch := pgtest.Unprivileged(t)
	for range 2 {
		_, err = boot.VerifyBackup(t.Context(), configOf(t, s.db), report.Manifest, scratch)
		require.NoError(t, err)
	}
	wrong := configOf(t, s.db, "SECRET_KEY="+strings.Repeat("ab", 32), "SECRET_KEY_PREVIOUS="+testSecret)
	_, err = boot.VerifyBackup(t.Context(), wrong, report.Manifest, scratch)
	require.NoError(t, err, "the previous secret opens an old backup")
	_, err = boot.VerifyBackup(t.Context(), configOf(t, s.db), report.Manifest, scratch)
	require.NoError(t, err, "the manifest stays under its own secret")
}

// TestBackupWithAnExtension verifies a backup of a database with an extension that only a superuser can create. The
// scratch database must have the extension.
func TestBackupWithAnExtension(t *testing.T) {
	t.Parallel()
	s, dir, _ := newBackup(t)
	const create = `CREATE EXTENSION pg_stat_statements`
	execute(t, s.db, create)
	report, err := boot.CreateBackup(t.Context(), configOf(t, s.db), filepath.Join(dir, "extended"))
	require.NoError(t, err)
	_, err = boot.VerifyBackup(t.Context(), configOf(t, s.db), report.Manifest, "")
	require.ErrorContains(t, err, "pg_stat_statements")
	scratch := pgtest.Unprivileged(t)
	execute(t, pgtest.AsAdmin(t, scratch), create)
	_, err = boot.VerifyBackup(t.Context(), configOf(t, s.db), report.Manifest, scratch)
	require.NoError(t, err)
}

// TestBackupOfChangedRows verifies that a backup is refused if it contains a row that cannot be decrypted. In the test
// cases, a bit of the row was changed, a value was copied from another row, or the row names a server key that does not
// exist.
func TestBackupOfChangedRows(t *testing.T) {
	t.Parallel()
	for name, sql := range map[string]string{
		"a changed envelope": `UPDATE entry_versions SET envelope = set_byte(envelope, 60, get_byte(envelope, 60) # 1)
			WHERE key = 'entry-1'`,
		"a moved envelope": `UPDATE entry_versions SET envelope = (SELECT envelope FROM entry_versions
			WHERE key = 'entry-2') WHERE key = 'entry-1'`,
		"an unknown key": `UPDATE entry_versions SET key_id = gen_random_uuid() WHERE key = 'entry-1'`,
		"a password of another user": `UPDATE users SET password = (SELECT password FROM users WHERE name = 'anna')
			WHERE name = 'root'`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, dir, _ := newBackup(t)
			execute(t, s.db, sql)
			damaged, err := boot.CreateBackup(t.Context(), configOf(t, s.db), filepath.Join(dir, "damaged"))
			require.NoError(t, err)
			_, err = boot.VerifyBackup(t.Context(), configOf(t, s.db), damaged.Manifest, pgtest.Unprivileged(t))
			var failed *serverkeys.UnopenedRowsError
			require.ErrorAs(t, err, &failed)
			require.Len(t, failed.Rows, 1, err)
		})
	}
}

// TestBackupOfChangedFiles covers a changed dump, a truncated dump, a changed manifest, and a wrong secret. It verifies
// that each backup is refused before anything is restored.
func TestBackupOfChangedFiles(t *testing.T) {
	t.Parallel()
	flip := func(t *testing.T, path string, from, to string) {
		t.Helper()
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		changed := bytes.Replace(content, []byte(from), []byte(to), 1)
		require.NotEqual(t, content, changed)
		require.NoError(t, os.WriteFile(path, changed, 0o600))
	}
	for name, c := range map[string]struct {
		change func(t *testing.T, report boot.BackupReport)
		secret string
		want   string
	}{
		"dump": {
			change: func(t *testing.T, r boot.BackupReport) { flip(t, r.Dump, "PGDMP", "PGDMQ") },
			want:   "does not match the size and hash in its manifest",
		},
		"short dump": {
			change: func(t *testing.T, r boot.BackupReport) { require.NoError(t, os.Truncate(r.Dump, r.Bytes-1)) },
			want:   "does not match the size and hash in its manifest",
		},
		"manifest": {
			change: func(t *testing.T, r boot.BackupReport) { flip(t, r.Manifest, `"rows": 4`, `"rows": 5`) },
			want:   "the manifest is not authentic",
		},
		"another secret": {
			change: func(*testing.T, boot.BackupReport) {},
			secret: strings.Repeat("ab", 32),
			want:   "the manifest is not authentic",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _, report := newBackup(t)
			c.change(t, report)
			config := configOf(t, s.db)
			if c.secret != "" {
				config = configOf(t, s.db, "SECRET_KEY="+c.secret)
			}
			_, err := boot.VerifyBackup(t.Context(), config, report.Manifest, pgtest.Unprivileged(t))
			require.ErrorContains(t, err, c.want)
		})
	}
}

// TestBackupNeedsItsSecret verifies that a backup fails if the configured secret cannot decrypt the server keys in the
// database.
func TestBackupNeedsItsSecret(t *testing.T) {
	t.Parallel()
	s := start(t)
	dir := t.TempDir()
	_, err := boot.CreateBackup(t.Context(), configOf(t, s.db, "SECRET_KEY="+strings.Repeat("ab", 32)), dir)
	require.ErrorContains(t, err, "no backup was made, because the backup would be unusable: wrong secret")
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
	_, err = boot.CreateBackup(t.Context(), configOf(t, pgtest.Empty(t)), dir)
	require.Error(t, err, "an empty database is not a Lockbox database")
}

// TestBackupUnderWrites writes entries during a backup. It verifies that the row counts in the manifest are equal to
// the row counts in the dump.
func TestBackupUnderWrites(t *testing.T) {
	t.Parallel()
	s, dir, _ := newBackup(t)
	root := s.as(read[signedIn](s.as("").do("POST", "/authenticate",
		`{"username":"root","password":"root-password"}`).expect(200)).Token)
	ctx, cancel := context.WithCancel(t.Context())
	writing := make(chan struct{})
	go func() {
		defer close(writing)
		for i := 0; ctx.Err() == nil; i++ {
			root.put("team", fmt.Sprintf("busy-%d", i), `1`).expect(201)
		}
	}()
	defer func() { cancel(); <-writing }()
	for i := range 2 {
		report, err := boot.CreateBackup(t.Context(), configOf(t, s.db), filepath.Join(dir, fmt.Sprint(i)))
		require.NoError(t, err)
		_, err = boot.VerifyBackup(t.Context(), configOf(t, s.db), report.Manifest, pgtest.Unprivileged(t))
		require.NoError(t, err)
	}
}

// TestRestoreCheck verifies the comparison of a restored database with its backup. An equal database is accepted. A
// database with a missing, additional or changed row is refused.
func TestRestoreCheck(t *testing.T) {
	t.Parallel()
	s, dir, _ := newBackup(t)
	s.stop() // it stores the last use of API keys
	report, err := boot.CreateBackup(t.Context(), configOf(t, s.db), filepath.Join(dir, "stopped"))
	require.NoError(t, err)
	check := func(database string) error {
		_, err := boot.CheckRestored(t.Context(), configOf(t, database), report.Manifest)
		return err
	}
	require.NoError(t, check(s.db))
	for sql, want := range map[string]string{
		`DELETE FROM entry_versions WHERE key = 'entry-0' AND version = 1`: "rows of public.entry_versions is 4",
		`UPDATE users SET role = 'admin' WHERE name = 'anna'`:              "public.users has the same number of rows",
		`DELETE FROM server_keys WHERE purpose = 'token'`:                  "server key ",
		`DROP TABLE throttle`: "table public.throttle is not in the database",
	} {
		copied := pgtest.Copy(t, s.db)
		execute(t, copied, sql)
		require.ErrorContains(t, check(copied), want)
	}
	require.Error(t, check(pgtest.New(t)), "a database that was not restored")
	require.WithinDuration(t, time.Now(), report.CreatedAt, time.Minute)
}
