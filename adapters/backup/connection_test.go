package backup

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestParseConnection verifies that the argument does not contain the password, and that libpq accepts all parameters
// in the argument.
func TestParseConnection(t *testing.T) {
	t.Parallel()
	for database, want := range map[string]connection{
		"postgres://lockbox:p%40ss:w@db.example.org:5433/lockbox?sslmode=verify-full&pool_max_conns=5": {
			argument:  "host='db.example.org' port='5433' user='lockbox' dbname='lockbox' sslmode='verify-full'",
			variables: []string{"PGPASSWORD=p@ss:w"},
		},
		"postgresql://lockbox:one@a:1,b:2/lockbox?target_session_attrs=read-write&password=two": {
			argument:  "host='a,b' port='1,2' user='lockbox' dbname='lockbox' target_session_attrs='read-write'",
			variables: []string{"PGPASSWORD=two"},
		},
		"postgres:///lockbox?host=/tmp/a%20b&user=anna&search_path=secrets": {
			argument: "host='/tmp/a b' port='5432' user='anna' dbname='lockbox'",
		},
		"postgres://anna:hun%3Fter2%23@h/lockbox": {
			argument:  "host='h' port='5432' user='anna' dbname='lockbox'",
			variables: []string{"PGPASSWORD=hun?ter2#"},
		},
		`host=db user=anna password='it\'s a \\' dbname='lock\'box' pool_max_conns=5`: {
			argument:  `host='db' port='5432' user='anna' dbname='lock\'box'`,
			variables: []string{`PGPASSWORD=it's a \`},
		},
		"host = db  user=anna dbname=d password=x://plain": {
			argument:  "host='db' port='5432' user='anna' dbname='d'",
			variables: []string{"PGPASSWORD=x://plain"},
		},
	} {
		got, err := parseConnection(database)
		require.NoError(t, err, database)
		require.Equal(t, want, got, database)
	}
	for _, malformed := range []string{
		"postgres://u:%zz@h/d", "host=db password='open", "nonsense",
		// Passwords that are not encoded.
		"postgres://u:hun?ter2@h/d", "postgres://u:12?ter2@h/d", "postgres://u:12/ter2@h/d", "postgres://u:12#ter2@h/d",
		"postgres://u:hun#ter2@h/d", "postgres://u:p@ter2@h:x/d",
	} {
		_, err := parseConnection(malformed)
		require.ErrorIs(t, err, errDatabaseURL, malformed)
		require.NotContains(t, err.Error(), "ter2")
	}
}
