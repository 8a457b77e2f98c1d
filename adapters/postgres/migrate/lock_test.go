package migrate_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/adapters/postgres/connect"
	"github.com/lockbox-go/lockbox/adapters/postgres/migrate"
	"github.com/lockbox-go/lockbox/tests/pgtest"
)

// TestAStepDoesNotBlockWriters applies a step that creates an index, while another transaction holds a lock on the
// table. The step waits for the transaction, but an INSERT that arrives later does not wait for the step.
func TestAStepDoesNotBlockWriters(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	require.NoError(t, migrator(t, url, files(t, "000001_notes", "CREATE TABLE notes (step int)", "")).Up(t.Context()))
	m := migrator(t, url, files(t, "000001_notes", "", "", "000002_index",
		"CREATE INDEX notes_step ON notes (step)", ""))
	holder, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	_, err = holder.Exec(t.Context(), `BEGIN; INSERT INTO notes VALUES (1)`)
	require.NoError(t, err)
	migrated := make(chan error, 1)
	go func() { migrated <- m.Up(t.Context()) }()
	require.Eventually(t, func() bool {
		return pgtest.Number(t, url,
			`SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'notes'::regclass`) > 0
	}, 10*time.Second, 10*time.Millisecond, "the step does not wait")
	begin := time.Now()
	writer, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	_, err = writer.Exec(t.Context(), `INSERT INTO notes VALUES (2)`)
	require.NoError(t, err)
	require.Less(t, time.Since(begin), 5*time.Second)
	select {
	case err := <-migrated:
		require.Fail(t, "the step did not wait for the transaction", "%v", err)
	default:
	}
	require.NoError(t, writer.Close(t.Context()))
	require.NoError(t, holder.Close(t.Context()))
	require.NoError(t, <-migrated)
	requireVersion(t, m, 2)
}

// TestAMigrationEndsOnASilentServer runs a migration on a server that accepts connections but does not respond.
func TestAMigrationEndsOnASilentServer(t *testing.T) {
	t.Parallel()
	between := pgtest.NewProxy(t, pgtest.Empty(t))
	between.LoseNew(true)
	m, err := migrate.New(between.URL, files(t, "000001_notes", "CREATE TABLE notes (step int)", ""))
	require.NoError(t, err)
	begin := time.Now()
	require.Error(t, m.Up(t.Context()))
	require.Less(t, time.Since(begin), 15*time.Second)
}

// TestAMigrationEndsWhenTheServerHangs cuts all connections during a step that takes a minute.
func TestAMigrationEndsWhenTheServerHangs(t *testing.T) {
	t.Parallel()
	database := pgtest.Empty(t)
	between := pgtest.NewProxy(t, database)
	m := migrator(t, between.URL, files(t, "000001_slow", "SELECT pg_sleep(60)", ""))
	m.Hurry(200 * time.Millisecond)
	migrated := make(chan error, 1)
	go func() { migrated <- m.Up(t.Context()) }()
	require.Eventually(t, func() bool {
		return pgtest.Number(t, database,
			`SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'`) > 0
	}, 10*time.Second, 10*time.Millisecond)
	between.LoseOpen()
	between.LoseNew(true)
	require.ErrorContains(t, <-migrated, "the database server does not answer")
}

// TestAMigrationReportsWhyItCannotConnect uses a parameter that the server refuses.
func TestAMigrationReportsWhyItCannotConnect(t *testing.T) {
	t.Parallel()
	m := migrator(t, pgtest.WithParameter(t, pgtest.Empty(t), "no_such_setting", "1"),
		files(t, "000001_notes", "CREATE TABLE notes (step int)", ""))
	require.ErrorIs(t, m.Up(t.Context()), connect.ErrRefused)
}
