package boot

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/adapters/postgres"
	"github.com/lockbox-go/lockbox/tests/pgtest"
)

const (
	doctorSecret = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
	otherSecret  = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8"
)

// byName runs Doctor and returns the checks by their names.
func byName(t *testing.T, environ ...string) map[string]Check {
	t.Helper()
	found := make(map[string]Check)
	for _, check := range Doctor(t.Context(), environ) {
		require.NotContains(t, found, check.Name)
		require.Equal(t, check.Status == StatusWarning || check.Status == StatusError, check.Remedy != "", check)
		require.NotContains(t, fmt.Sprint(check), doctorSecret)
		found[check.Name] = check
	}
	return found
}

// requireStatus requires that each check in want has the status in want, and that all other checks are "ok" or
// "skipped".
func requireStatus(t *testing.T, checks map[string]Check, want map[string]Status) {
	t.Helper()
	for name, check := range checks {
		if status, named := want[name]; named {
			require.Equal(t, status, check.Status, check)
		} else {
			require.Contains(t, []Status{StatusOK, StatusSkipped}, check.Status, check)
		}
	}
	for name := range want {
		require.Contains(t, checks, name)
	}
}

// installed returns the URL of a new database whose server keys are encrypted with doctorSecret.
func installed(t *testing.T) string {
	t.Helper()
	database := pgtest.New(t)
	config, _, err := ReadEnvironment([]string{"LOCKBOX_DATABASE_URL=" + database,
		"LOCKBOX_SECRET_KEY=" + doctorSecret})
	require.NoError(t, err)
	_, closeAll, err := OpenServerKeys(t.Context(), config, slog.New(slog.DiscardHandler), 0)
	require.NoError(t, err)
	closeAll()
	return database
}

const (
	secret   = "LOCKBOX_SECRET_KEY=" + doctorSecret
	loopback = "LOCKBOX_HTTP_ADDR=127.0.0.1:5000"
)

// TestDoctorHealthy runs all checks on an installation without a fault.
func TestDoctorHealthy(t *testing.T) {
	t.Parallel()
	healthy := byName(t, "LOCKBOX_DATABASE_URL="+installed(t), secret, loopback)
	// Omit this check: PostgreSQL may run without fsync in tests, and the check then reports an error.
	delete(healthy, checkNameReplication)
	requireStatus(t, healthy, nil)
	require.Len(t, healthy, 12)
}

// doctorFault is an installation with one fault. want maps each check that must report the fault to its status.
type doctorFault struct {
	environ []string
	want    map[string]Status
}

// TestDoctorFaults runs all checks on installations with one fault each.
func TestDoctorFaults(t *testing.T) {
	t.Parallel()
	database := "LOCKBOX_DATABASE_URL=" + installed(t)
	for _, faults := range []map[string]doctorFault{settingFaults(database), surroundingFaults(t, database)} {
		for name, fault := range faults {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				checks := byName(t, fault.environ...)
				require.NotContains(t, fmt.Sprint(checks), "pass-word")
				delete(checks, checkNameReplication)
				requireStatus(t, checks, fault.want)
			})
		}
	}
}

// settingFaults are faults of settings and secrets.
func settingFaults(database string) map[string]doctorFault {
	return map[string]doctorFault{
		"a mistake in a setting": {
			environ: []string{database, secret, loopback, "LOCKBOX_KDF_TIME=17", "LOCKBOX_MAX_USERS_PER_BOX=x"},
			want:    map[string]Status{"settings": StatusError},
		},
		"a misspelled setting": {
			environ: []string{database, secret, loopback, "LOCKBOX_KDF_TIMES=3"},
			want:    map[string]Status{"settings": StatusWarning},
		},
		"no settings": {
			environ: []string{loopback},
			want:    map[string]Status{"settings": StatusError, "database": StatusError},
		},
		"no server": {
			environ: []string{"LOCKBOX_DATABASE_URL=postgres://u:pass-word@127.0.0.1:1/d", secret, loopback},
			want:    map[string]Status{"database": StatusError},
		},
		"another secret": {
			environ: []string{database, "LOCKBOX_SECRET_KEY=" + otherSecret, loopback},
			want:    map[string]Status{"secret": StatusError},
		},
		"a rotation that was not completed": {
			environ: []string{database, "LOCKBOX_SECRET_KEY=" + otherSecret,
				"LOCKBOX_SECRET_KEY_PREVIOUS=" + doctorSecret, loopback},
			want: map[string]Status{"secret": StatusWarning},
		},
		"a previous secret that is not needed": {
			environ: []string{database, secret, "LOCKBOX_SECRET_KEY_PREVIOUS=" + otherSecret, loopback},
			want:    map[string]Status{"secret": StatusWarning},
		},
	}
}

// surroundingFaults are faults outside the settings: in the database, in backups or in the connections of clients.
func surroundingFaults(t *testing.T, database string) map[string]doctorFault {
	t.Helper()
	return map[string]doctorFault{
		"plain HTTP": {
			environ: []string{database, secret},
			want:    map[string]Status{"certificate": StatusWarning},
		},
		"plain HTTP behind a proxy": {environ: []string{database, secret, "LOCKBOX_TRUSTED_PROXIES=10.0.0.0/8"}},
		"too many connections": {
			environ: []string{database, secret, loopback, "LOCKBOX_DB_MAX_CONNS=100000"},
			want:    map[string]Status{"connections": StatusError},
		},
		"an empty database": {
			environ: []string{"LOCKBOX_DATABASE_URL=" + pgtest.Empty(t), secret, loopback},
			want:    map[string]Status{"schema": StatusWarning},
		},
		"a missing folder of backups": {
			environ: []string{database, secret, loopback, "LOCKBOX_BACKUP_DIR=" + filepath.Join(t.TempDir(), "none")},
			want:    map[string]Status{"backups": StatusError},
		},
	}
}

// TestDoctorSchema verifies that doctor prints a warning for an older schema and for a newer schema of the same release
// line. For a schema of a newer release line, doctor must print an error.
func TestDoctorSchema(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]Status{"1": StatusWarning, "999": StatusWarning, "1001": StatusError} {
		database := installed(t)
		pgtest.Column(t, database, "UPDATE schema_migrations SET version = "+version+" RETURNING version::text")
		checks := byName(t, "LOCKBOX_DATABASE_URL="+database, "LOCKBOX_SECRET_KEY="+doctorSecret,
			"LOCKBOX_HTTP_ADDR=127.0.0.1:5000")
		require.Equal(t, want, checks["schema"].Status, version)
	}
}

// TestDoctorDatabase checks the results for states of PostgreSQL that the test database never has.
func TestDoctorDatabase(t *testing.T) {
	t.Parallel()
	healthy := postgres.Diagnosis{
		Major:      17,
		Encoding:   "UTF8",
		Durable:    true,
		SyncCommit: "on",
	}
	for name, c := range map[string]struct {
		check  func(postgres.Diagnosis) Check
		change func(*postgres.Diagnosis)
		want   Status
	}{
		"healthy server": {checkServer, func(*postgres.Diagnosis) {}, StatusOK},
		"standby":        {checkServer, func(d *postgres.Diagnosis) { d.Standby = true }, StatusError},
		"read-only":      {checkServer, func(d *postgres.Diagnosis) { d.ReadOnly = true }, StatusError},
		"full disk": {
			checkServer,
			func(d *postgres.Diagnosis) { d.WriteErr = errors.New("full") },
			StatusError,
		},
		"encoding":            {checkServer, func(d *postgres.Diagnosis) { d.Encoding = "LATIN1" }, StatusError},
		"old PostgreSQL":      {checkServer, func(d *postgres.Diagnosis) { d.Major = 13 }, StatusError},
		"untested PostgreSQL": {checkServer, func(d *postgres.Diagnosis) { d.Major = 19 }, StatusWarning},
		"clock behind":        {checkClock, func(d *postgres.Diagnosis) { d.Skew = -time.Minute }, StatusWarning},
		"clock ahead":         {checkClock, func(d *postgres.Diagnosis) { d.Skew = time.Minute }, StatusWarning},
		"slow connection": {
			checkClock,
			func(d *postgres.Diagnosis) { d.Skew, d.SkewError = 31*time.Second, 2*time.Second },
			StatusOK,
		},
		"one server":     {checkReplication, func(*postgres.Diagnosis) {}, StatusOK},
		"not durable":    {checkReplication, func(d *postgres.Diagnosis) { d.Durable = false }, StatusError},
		"asynchronous":   {checkReplication, func(d *postgres.Diagnosis) { d.Standbys = 2 }, StatusWarning},
		"writes wait":    {checkReplication, func(d *postgres.Diagnosis) { d.SyncNames = "*" }, StatusError},
		"of standby":     {checkReplication, func(d *postgres.Diagnosis) { d.Standby = true }, StatusSkipped},
		"hidden state":   {checkReplication, synchronous(1, -1, "on"), StatusOK},
		"synchronous":    {checkReplication, synchronous(2, 1, "on"), StatusOK},
		"local commit":   {checkReplication, synchronous(2, 1, "local"), StatusWarning},
		"only potential": {checkReplication, synchronous(2, 0, "on"), StatusError},
		"pooler":         {checkPooler, func(d *postgres.Diagnosis) { d.Pooled = true }, StatusWarning},
		"logged":         {checkDatabaseLog, func(d *postgres.Diagnosis) { d.LogsParameters = true }, StatusWarning},
	} {
		d := healthy
		c.change(&d)
		require.Equal(t, c.want, c.check(d).Status, name)
	}
}

// synchronous returns a function that changes a diagnosis. It sets synchronous_standby_names to "*". standbys is the
// number of standbys, sync is the number of synchronous standbys, and commit is the value of synchronous_commit.
func synchronous(standbys, sync int, commit string) func(*postgres.Diagnosis) {
	return func(d *postgres.Diagnosis) {
		d.SyncNames, d.Standbys, d.SyncStandbys, d.SyncCommit = "*", standbys, sync, commit
	}
}

// TestDoctorCertificate checks an expired certificate, one that expires soon, a valid one, and a key that does not
// match.
func TestDoctorCertificate(t *testing.T) {
	t.Parallel()
	folder := certificateFolder{t, t.TempDir()}
	for left, want := range map[time.Duration]Status{
		-time.Hour: StatusError, 24 * time.Hour: StatusWarning, 60 * 24 * time.Hour: StatusOK,
	} {
		folder.issue(1, time.Now().Add(left))
		require.Equal(t, want, byName(t, folder.settings()...)["certificate"].Status, left)
	}
	_, key := selfSigned(t, 2, time.Now().Add(24*time.Hour))
	folder.write("key", key)
	checks := byName(t, folder.settings()...)
	require.Equal(t, StatusError, checks["certificate"].Status)
	require.Contains(t, checks["settings"].Detail, "private key does not match public key")
}
