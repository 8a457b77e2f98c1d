package backup

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestParseConnection verifies that the argument contains no password and only parameters that libpq accepts.
func TestParseConnection(t *testing.T) {
	t.Parallel()
	for database, want := range map[string]connection{
		"postgres://lockbox:p%40ss:w@db.example.org:5433/lockbox?sslmode=verify-full&pool_max_conns=5": {
			argument:  "postgres://lockbox@db.example.org:5433/lockbox?sslmode=verify-full",
			variables: []string{"PGPASSWORD=p@ss:w"},
		},
		"postgresql://lockbox:one@a:1,b:2/lockbox?target_session_attrs=read-write&password=two": {
			argument:  "postgresql://lockbox@a:1,b:2/lockbox?target_session_attrs=read-write",
			variables: []string{"PGPASSWORD=two"},
		},
		"postgres://%2Frun%2Fpostgresql/lockbox?user=anna&search_path=secrets": {
			argument: "postgres://%2Frun%2Fpostgresql/lockbox?user=anna",
		},
		"postgres:///lockbox?host=/tmp/a%20b": {argument: "postgres:///lockbox?host=/tmp/a%20b"},
		`host=db user=anna password='it\'s a \\' dbname=lockbox pool_max_conns=5`: {
			argument:  "host='db' user='anna' dbname='lockbox'",
			variables: []string{`PGPASSWORD=it's a \`},
		},
		"host = db  password=plain": {argument: "host='db'", variables: []string{"PGPASSWORD=plain"}},
	} {
		got, err := parseConnection(database)
		require.NoError(t, err, database)
		require.Equal(t, want, got, database)
	}
	for _, malformed := range []string{"postgres://u:%zz@h/d", "host=db password='open", "nonsense"} {
		_, err := parseConnection(malformed)
		require.ErrorIs(t, err, errDatabaseURL, malformed)
	}
}
