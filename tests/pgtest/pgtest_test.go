package pgtest

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func number(t *testing.T, url, sql string, args ...any) int {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close(t.Context())) }()
	var n int
	require.NoError(t, conn.QueryRow(t.Context(), sql, args...).Scan(&n))
	return n
}

const countDatabases = "SELECT count(*) FROM pg_database WHERE datname LIKE $1"

func TestEachTestHasItsOwnDatabase(t *testing.T) {
	t.Parallel()
	one, two, empty := New(t), New(t), Empty(t)
	const tables = "SELECT count(*) FROM pg_class WHERE relname = 'entries'"
	require.Equal(t, 1, number(t, one, tables))
	require.Equal(t, 1, number(t, two, tables))
	require.Equal(t, 0, number(t, empty, tables))

	number(t, one, "WITH made AS (INSERT INTO system (id, installation_id, created_at) "+
		"VALUES (1, gen_random_uuid(), now()) RETURNING id) SELECT id FROM made")
	require.Equal(t, 1, number(t, one, "SELECT count(*) FROM system"))
	require.Equal(t, 0, number(t, two, "SELECT count(*) FROM system"))
}

func TestDatabaseIsDroppedWithOpenConnections(t *testing.T) {
	t.Parallel()
	var name string
	var connected *pgx.Conn
	t.Run("inner", func(t *testing.T) {
		conn, err := pgx.Connect(t.Context(), New(t))
		require.NoError(t, err)
		connected, name = conn, conn.Config().Database
	})
	require.Error(t, connected.Ping(t.Context()))
	require.NoError(t, connected.Close(t.Context()))
	require.Equal(t, 0, number(t, server(t), countDatabases, name))
}

func TestConcurrentTemplates(t *testing.T) {
	t.Parallel()
	name := "lockbox_template_test_" + randomHex()
	t.Cleanup(func() { require.NoError(t, administer(server(t), "DROP DATABASE "+name)) })
	admin := server(t)
	var group errgroup.Group
	for range 6 {
		group.Go(func() error {
			_, err := makeTemplate(t.Context(), admin, name)
			return err
		})
	}
	require.NoError(t, group.Wait())
	require.Equal(t, 1, number(t, admin, countDatabases, name))
	// Other test binaries may create drafts on the same server at this moment, so the test waits.
	require.Eventually(t, func() bool { return number(t, admin, countDatabases, "lockbox_draft_%") == 0 },
		30*time.Second, 100*time.Millisecond)
}

func TestServerMustBeAURL(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"host=localhost dbname=x", "mysql://h/x", "postgres://u:p%zz@h/x"} {
		_, err := withDatabase(bad, "x")
		require.ErrorContains(t, err, Variable)
		require.NotContains(t, err.Error(), bad)
	}
	other, err := withDatabase("postgres://u:p@h:1/a?sslmode=disable", "b")
	require.NoError(t, err)
	require.Equal(t, "postgres://u:p@h:1/b?sslmode=disable", other)
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		New(b)
	}
}
