package migrate_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/tests/pgtest"
)

// fragments are the parts from which FuzzSteps makes steps. Some of them are invalid SQL, some end the transaction, and
// some only look as if they end it.
var fragments = []string{
	"CREATE TABLE one (a int);\n",
	"CREATE TABLE two (a int PRIMARY KEY);\n",
	"INSERT INTO one SELECT generate_series(1, 3);\n",
	"DROP TABLE one;\n",
	"INSERT INTO two VALUES (1), (1);\n", // violates the key
	"SELECT 1 / 0;\n",
	"CREAT TABLE x;\n",
	"COMMIT;\n",
	"ROLLBACK;\n",
	"BEGIN;\n", // causes only a warning inside a transaction
	"SAVEPOINT s;\n",
	"ROLLBACK TO SAVEPOINT s;\n",
	"RELEASE SAVEPOINT s;\n",
	"-- COMMIT;\n",
	"/* BEGIN; /* nested */ COMMIT; */\n",
	"SELECT 'COMMIT; ''ROLLBACK;';\n",
	"DO $$ BEGIN PERFORM 1; END $$;\n",
	"DO $$ BEGIN COMMIT; END $$;\n", // refused: invalid transaction termination
	"SET LOCAL statement_timeout = '1ms';\n",
	"COMMIT AND CHAIN;\n",
	"UPDATE schema_migrations SET version = 9;\n",
	";\n",
	"é\n",
}

// endsTransaction lists the fragments that end the transaction of their step.
var endsTransaction = []string{"COMMIT;\n", "ROLLBACK;\n", "COMMIT AND CHAIN;\n"}

// FuzzSteps runs a step that consists of several fragments. If the step fails, the schema and the version must be the
// same as before the step. If the step succeeds, all its changes must be stored. A step that ends its own transaction
// must fail.
func FuzzSteps(f *testing.F) {
	for _, seed := range []string{"", "\x00\x01\x02", "\x00\x02\x03", "\x01\x04", "\x00\x05", "\x06", "\x00\x07",
		"\x08\x00",
		"\x00\x07\x09\x01", "\x00\x08\x09\x01", "\x09\x00", "\x0a\x00\x0b", "\x0a\x0c\x0b",
		"\x0d\x0e\x0f\x10\x00", "\x11",
		"\x12\x00", "\x00\x13\x01", "\x14", "\x15\x00\x16"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, program string) {
		if len(program) > 12 {
			return
		}
		var text strings.Builder
		ends := false
		for _, each := range []byte(program) {
			fragment := fragments[int(each)%len(fragments)]
			text.WriteString(fragment)
			for _, end := range endsTransaction {
				ends = ends || fragment == end
			}
		}
		url := pgtest.Empty(t)
		m := migrator(t, url, files(t,
			"000001_first", "CREATE TABLE first (a int)", "DROP TABLE first",
			"000002_second", text.String()+"CREATE TABLE last (a int)", "DROP TABLE last"))
		err := m.Up(t.Context())
		current, _, versionErr := m.Version(t.Context())
		require.NoError(t, versionErr)
		last := len(pgtest.Column(t, url, `SELECT 'x' FROM pg_class WHERE relname = 'last'`)) == 1
		switch {
		case err == nil:
			require.False(t, ends, "%s", &text)
			require.True(t, last, "%s", &text)
			if !strings.Contains(text.String(), "UPDATE schema_migrations") {
				require.Equal(t, uint(2), current, "%s", &text)
			}
		case !ends:
			require.Equal(t, uint(1), current, "%s", &text)
			require.False(t, last, "%s", &text)
			require.NotContains(t, describe(t, url), "r one", "%s", &text)
		}
	})
}
