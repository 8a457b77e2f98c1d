//go:build e2e && linux

package image

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/adapters/localpg"
	"github.com/lockbox-go/lockbox/tests/live"
)

// TestDatabaseRole runs create-role.sh in the same way as the postgres image does, and then runs Lockbox with the role
// that the script created.
func TestDatabaseRole(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("/tmp", "lockbox-image-") // PostgreSQL's user cannot enter t.TempDir
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o755))
	hba := filepath.Join(dir, "pg_hba.conf")
	require.NoError(t, os.WriteFile(hba, []byte("local all all trust\n"), 0o600))
	require.NoError(t, os.Chmod(hba, 0o644))
	database, err := localpg.Start(t.Context(), localpg.Config{Settings: map[string]string{"hba_file": hba}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, database.Stop()) })
	// In the postgres image, the superuser is named postgres. In this test, the superuser is named lockbox at first. It
	// is renamed, because Lockbox's own role needs that name.
	as := func(role, name string) string {
		return strings.Replace(database.URL(name), "postgres://lockbox@", "postgres://"+role+"@", 1)
	}
	run(t, as("lockbox", "postgres"), "CREATE ROLE postgres SUPERUSER LOGIN PASSWORD 'of-the-file'")
	run(t, as("postgres", "postgres"), "ALTER ROLE lockbox RENAME TO bootstrap")

	config, err := pgx.ParseConfig(database.URL("postgres"))
	require.NoError(t, err)
	script := exec.CommandContext(t.Context(), "../../deploy/postgres/create-role.sh")
	script.Env = append(os.Environ(), "POSTGRES_USER=postgres", "POSTGRES_PASSWORD=it's of-the-file",
		"PGHOST="+config.Host, "PGPORT=5432")
	out, err := script.CombinedOutput()
	require.NoError(t, err, "%s", out)

	postgres := as("postgres", "postgres")
	assert.Equal(t, "false false false false false true", ask(t, postgres, `SELECT concat_ws(' ', rolsuper::text,
		rolcreatedb::text, rolcreaterole::text, rolreplication::text, rolbypassrls::text, rolcanlogin::text)
		FROM pg_roles WHERE rolname = 'lockbox'`))
	assert.Equal(t, "lockbox", ask(t, postgres, `SELECT pg_get_userbyid(datdba)::text FROM pg_database
		WHERE datname = 'lockbox'`))
	assert.Equal(t, "none", ask(t, postgres, `SELECT coalesce(rolpassword, 'none') FROM pg_authid
		WHERE rolname = 'postgres'`))
	assert.Contains(t, ask(t, postgres, `SELECT rolpassword FROM pg_authid WHERE rolname = 'lockbox'`), "SCRAM-SHA-256")
	server := live.StartOn(t, as("lockbox", "lockbox"))
	assert.NotContains(t, server.Log.String(), `"level":"ERROR"`)
	_, err = pgx.Connect(t.Context(), as("lockbox", "postgres"))
	assert.ErrorContains(t, err, "permission denied")
}

// run executes a statement.
func run(t *testing.T, url, statement string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close(t.Context())) }()
	_, err = conn.Exec(t.Context(), statement)
	require.NoError(t, err)
}

// ask runs a query and returns the text in its single row.
func ask(t *testing.T, url, query string) (text string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close(t.Context())) }()
	require.NoError(t, conn.QueryRow(t.Context(), query).Scan(&text))
	return text
}
