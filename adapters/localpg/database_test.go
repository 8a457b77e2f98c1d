package localpg

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// TestUnprivilegedDatabase verifies that the role owns its database and can create a schema there, but cannot run
// programs, read files, or become the superuser. A second call returns the same database.
func TestUnprivilegedDatabase(t *testing.T) {
	t.Parallel()
	server := start(t, Config{Dir: clusterFolder(t)})
	address, err := server.UnprivilegedDatabase(t.Context(), "scratch")
	require.NoError(t, err)
	again, err := server.UnprivilegedDatabase(t.Context(), "scratch")
	require.NoError(t, err)
	require.Equal(t, address, again)
	conn, err := pgx.Connect(t.Context(), address)
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close(t.Context())) }()
	_, err = conn.Exec(t.Context(), "CREATE SCHEMA own; CREATE TABLE public.one (n int)")
	require.NoError(t, err)
	for _, sql := range []string{
		"COPY public.one TO PROGRAM 'cat'", "COPY public.one FROM '/etc/passwd'", "SELECT pg_read_file('/etc/passwd')",
		"SET ROLE " + superuser, "SET SESSION AUTHORIZATION " + superuser, "ALTER ROLE " + Unprivileged + " SUPERUSER",
		"CREATE ROLE other",
	} {
		_, err := conn.Exec(t.Context(), sql)
		require.True(t, hasCode(err, "42501"), "%s: %v", sql, err)
	}
}
