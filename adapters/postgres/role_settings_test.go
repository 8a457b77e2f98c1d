package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/adapters/postgres"
	"github.com/lockbox-go/lockbox/adapters/postgres/migrate"
	"github.com/lockbox-go/lockbox/adapters/system"
	"github.com/lockbox-go/lockbox/migrations"
	"github.com/lockbox-go/lockbox/tests/pgtest"
)

// storedSettings returns the settings of a role in a database.
func storedSettings(t *testing.T, database string) []string {
	t.Helper()
	return pgtest.Column(t, database, `SELECT unnest(setconfig) FROM pg_db_role_setting r
		JOIN pg_database d ON d.oid = r.setdatabase JOIN pg_roles u ON u.oid = r.setrole
		WHERE d.datname = current_database() AND u.rolname = session_user`)
}

// lackingSettings returns the settings that sessions of the test server do not have before Open sets them. It omits
// jit, because the configuration of the test server already sets jit to off.
func lackingSettings() []string {
	return slices.DeleteFunc(postgres.RoleSettings(), func(each string) bool { return each == "jit=off" })
}

func tryOpen(t *testing.T, config postgres.Config) (*postgres.Store, error) {
	t.Helper()
	config.Clock = system.Clock{}
	store, err := postgres.Open(t.Context(), config)
	if err == nil {
		t.Cleanup(store.Close)
	}
	return store, err
}

// shown returns the value of a parameter in the sessions of the store.
func shown(t *testing.T, store *postgres.Store, name string) (value string) {
	t.Helper()
	require.NoError(t, store.Pool().QueryRow(t.Context(), `SELECT current_setting($1)`, name).Scan(&value))
	return value
}

func TestMigrationAndOpenSetTheSameSettings(t *testing.T) {
	t.Parallel()
	migrated, opened := pgtest.Empty(t), pgtest.Empty(t)
	migrator, err := migrate.New(migrated, migrations.Files)
	require.NoError(t, err)
	require.NoError(t, migrator.Up(t.Context()))
	assert.ElementsMatch(t, postgres.RoleSettings(), storedSettings(t, migrated))
	_, err = tryOpen(t, postgres.Config{URL: opened})
	require.NoError(t, err)
	assert.ElementsMatch(t, lackingSettings(), storedSettings(t, opened))
	// A database that pgtest.New creates must have the settings of a migrated database.
	assert.ElementsMatch(t, postgres.RoleSettings(), storedSettings(t, pgtest.New(t)))

	require.NoError(t, migrator.DownTo(t.Context(), 9))
	assert.Empty(t, storedSettings(t, migrated))
}

func TestSessionsHaveTheSettings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before  []string // settings of the role before Open
		inURL   string   // a parameter of the URL
		timeout string
	}{
		"none":               {timeout: "10s"},
		"no timeout":         {before: []string{"statement_timeout = 0"}, timeout: "10s"},
		"a longer timeout":   {before: []string{"statement_timeout = '1h'"}, timeout: "10s"},
		"a shorter timeout":  {before: []string{"statement_timeout = '3s'"}, timeout: "3s"},
		"sequential scans":   {before: []string{"enable_seqscan = on", "jit = on"}, timeout: "10s"},
		"a timeout in a URL": {inURL: "1h", timeout: "10s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			database := pgtest.Empty(t)
			config, err := pgx.ParseConfig(database)
			require.NoError(t, err)
			for _, setting := range c.before {
				execute(t, database, fmt.Sprintf("ALTER ROLE CURRENT_USER IN DATABASE %s SET %s", config.Database,
					setting))
			}
			if c.inURL != "" {
				database = pgtest.WithParameter(t, database, "statement_timeout", c.inURL)
			}
			store, err := tryOpen(t, postgres.Config{URL: database})
			require.NoError(t, err)
			assert.Equal(t, c.timeout, shown(t, store, "statement_timeout"))
			assert.Equal(t, "5s", shown(t, store, "lock_timeout"))
			assert.Equal(t, "10s", shown(t, store, "idle_in_transaction_session_timeout"))
			for _, name := range []string{"enable_seqscan", "enable_hashjoin", "enable_mergejoin", "jit"} {
				assert.Equal(t, "off", shown(t, store, name), name)
			}
			assert.Equal(t, "lockbox", shown(t, store, "application_name"))
		})
	}
}

// TestOnlyApplicationNameIsSent verifies that the startup message contains only application_name. Poolers refuse other
// parameters.
func TestOnlyApplicationNameIsSent(t *testing.T) {
	t.Parallel()
	config, err := postgres.ConnConfig("postgres://anna:secret@localhost/lockbox?statement_timeout=5&jit=on")
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"application_name": "lockbox"}, config.RuntimeParams)
}

// TestRoleWithoutTheRight opens a store whose role is not allowed to change its own settings. The sessions of the role
// start with SET ROLE to a role without rights.
func TestRoleWithoutTheRight(t *testing.T) {
	t.Parallel()
	database, elsewhere := pgtest.Empty(t), pgtest.Empty(t)
	config, err := pgx.ParseConfig(database)
	require.NoError(t, err)
	other := "lockbox_test_role_" + strings.TrimPrefix(config.Database, "lockbox_test_")
	execute(t, elsewhere, "CREATE ROLE "+other)
	t.Cleanup(func() { require.NoError(t, dropRole(elsewhere, other)) })
	execute(t, elsewhere, fmt.Sprintf("ALTER ROLE CURRENT_USER IN DATABASE %s SET role = '%s'", config.Database, other))

	_, err = tryOpen(t, postgres.Config{URL: database})
	require.ErrorContains(t, err, "lack settings")
	_, statements, found := strings.Cut(err.Error(), ":\n")
	require.True(t, found)
	lines := strings.Split(statements, "\n")
	require.Len(t, lines, len(lackingSettings()))
	assert.Contains(t, lines, fmt.Sprintf(`ALTER ROLE %q IN DATABASE %q SET lock_timeout = '5s';`, config.User,
		config.Database))

	for _, line := range lines {
		execute(t, elsewhere, line) // as the superuser
	}
	store, err := tryOpen(t, postgres.Config{URL: database})
	require.NoError(t, err)
	assert.Equal(t, "10s", shown(t, store, "statement_timeout"))
}

// TestConcurrentOpenings verifies that several servers can start at the same time, although all of them change the
// settings of the role.
func TestConcurrentOpenings(t *testing.T) {
	t.Parallel()
	database := pgtest.Empty(t)
	failures := make(chan error, 6)
	for range cap(failures) {
		go func() {
			store, err := postgres.Open(t.Context(), postgres.Config{URL: database, Clock: system.Clock{}})
			if err == nil {
				store.Close()
			}
			failures <- err
		}()
	}
	for range cap(failures) {
		assert.NoError(t, <-failures)
	}
	assert.ElementsMatch(t, lackingSettings(), storedSettings(t, database))
}

// TestPatientTransactions verifies that only the transactions of a patient store have a longer statement timeout, and
// that no session keeps that timeout.
func TestPatientTransactions(t *testing.T) {
	t.Parallel()
	database := pgtest.New(t)
	for patient, want := range map[bool]string{true: "10min", false: "10s"} {
		for _, pooled := range []bool{true, false} {
			store, err := tryOpen(t, postgres.Config{
				URL:                database,
				Patient:            patient,
				TransactionPooling: pooled,
				MaxConns:           1,
			})
			require.NoError(t, err)
			inside, err := store.ShowInTransaction(t.Context(), "statement_timeout")
			require.NoError(t, err)
			assert.Equal(t, want, inside)
			assert.Equal(t, "10s", shown(t, store, "statement_timeout"))
		}
	}
}

// dropRole does not use the context of the test, because that context ends before the cleanup functions run.
func dropRole(database, role string) error {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, database)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "DROP ROLE "+role)
	return errors.Join(err, conn.Close(ctx))
}
