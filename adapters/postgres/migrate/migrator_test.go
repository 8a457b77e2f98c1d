package migrate_test

import (
	"context"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/adapters/postgres/migrate"
	"github.com/lockbox-go/lockbox/migrations"
	"github.com/lockbox-go/lockbox/tests/pgtest"
)

// files returns migrations. Each migration consists of three parts: the name NNNNNN_name, the SQL that applies it, and
// the SQL that reverts it.
func files(t *testing.T, parts ...string) fstest.MapFS {
	t.Helper()
	require.Zero(t, len(parts)%3)
	all := fstest.MapFS{}
	for ; len(parts) > 0; parts = parts[3:] {
		all[parts[0]+".up.sql"] = &fstest.MapFile{Data: []byte(parts[1])}
		all[parts[0]+".down.sql"] = &fstest.MapFile{Data: []byte(parts[2])}
	}
	return all
}

func migrator(t *testing.T, url string, source fs.FS) *migrate.Migrator {
	t.Helper()
	m, err := migrate.New(url, source)
	require.NoError(t, err)
	return m
}

func requireVersion(t *testing.T, m *migrate.Migrator, want uint) {
	t.Helper()
	current, _, err := m.Version(t.Context())
	require.NoError(t, err)
	require.Equal(t, want, current)
}

// describe returns a description of the schema. It replaces pg_dump --schema-only, because some machines have no
// pg_dump.
func describe(t *testing.T, url string) []string {
	t.Helper()
	return pgtest.Column(t, url, `
		WITH mine AS (SELECT c.* FROM pg_class c WHERE relnamespace = 'public'::regnamespace
			AND relname NOT LIKE 'schema_migrations%')
		SELECT format('%s %s', relkind, relname) FROM mine
		UNION ALL SELECT format('%s.%s %s %s storage %s collation %s default %s', relname,
			-- A column that was dropped leaves a gap in the numbers.
			row_number() OVER (PARTITION BY mine.oid ORDER BY attnum), attname,
			format_type(atttypid, atttypmod) || CASE WHEN attnotnull THEN ' not null' ELSE '' END, attstorage,
			attcollation::regcollation, pg_get_expr(adbin, adrelid))
			FROM mine JOIN pg_attribute a ON attrelid = mine.oid AND attnum > 0 AND NOT attisdropped
			LEFT JOIN pg_attrdef ON adrelid = mine.oid AND adnum = attnum
		UNION ALL SELECT format('%s %s %s', relname, conname, pg_get_constraintdef(k.oid))
			FROM mine JOIN pg_constraint k ON conrelid = mine.oid
		UNION ALL SELECT pg_get_indexdef(mine.oid) FROM mine WHERE relkind = 'i'
		UNION ALL SELECT format('%s %s', relname, tgname) FROM mine JOIN pg_trigger ON tgrelid = mine.oid
			WHERE NOT tgisinternal
		UNION ALL SELECT format('function %s', oid::regprocedure) FROM pg_proc
			WHERE pronamespace = 'public'::regnamespace
		UNION ALL SELECT format('type %s', typname) FROM pg_type WHERE typnamespace = 'public'::regnamespace
			AND typname NOT LIKE '%schema_migrations'
		ORDER BY 1`)
}

// upTo returns the given number of Lockbox's migrations, beginning with the oldest.
func upTo(t *testing.T, steps int) fs.FS {
	t.Helper()
	ups, err := fs.Glob(migrations.Files, "*.up.sql")
	require.NoError(t, err)
	some := fstest.MapFS{}
	for _, up := range ups[:steps] {
		for _, name := range []string{up, strings.Replace(up, ".up.", ".down.", 1)} {
			text, err := fs.ReadFile(migrations.Files, name)
			require.NoError(t, err)
			some[name] = &fstest.MapFile{Data: text}
		}
	}
	return some
}

func TestEveryMigrationCanBeReverted(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	ups, err := fs.Glob(migrations.Files, "*.up.sql")
	require.NoError(t, err)
	before := describe(t, url)
	for i := range ups {
		m := migrator(t, url, upTo(t, i+1))
		require.NoError(t, m.Up(t.Context()), ups[i])
		after := describe(t, url)
		require.NoError(t, m.Down(t.Context(), 1), ups[i])
		require.Equal(t, before, describe(t, url), ups[i])
		require.NoError(t, m.Up(t.Context()), ups[i])
		require.Equal(t, after, describe(t, url), ups[i])
		before = after
	}
	all := migrator(t, url, migrations.Files)
	current, newest, err := all.Version(t.Context())
	require.NoError(t, err)
	require.Equal(t, newest, current)
	require.NoError(t, all.Up(t.Context()), "nothing is left to do")
	require.NoError(t, all.Down(t.Context(), len(ups)+5), "there are no more to revert")
	requireVersion(t, all, 0)
	require.Empty(t, describe(t, url))
	require.NoError(t, all.Down(t.Context(), 1))
}

// TestDownTo verifies that DownTo reverts exactly the migrations that are newer than the given version. If that version
// does not exist, DownTo must change nothing.
func TestDownTo(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	m := migrator(t, url, migrations.Files)
	require.NoError(t, m.Up(t.Context()))
	_, newest, err := m.Version(t.Context())
	require.NoError(t, err)
	require.ErrorContains(t, m.DownTo(t.Context(), newest+1), "there is no migration")
	require.NoError(t, m.DownTo(t.Context(), newest))
	requireVersion(t, m, newest)
	require.NoError(t, m.DownTo(t.Context(), 8))
	requireVersion(t, m, 8)
	require.Equal(t, describe(t, url), func() []string {
		other := pgtest.Empty(t)
		require.NoError(t, migrator(t, other, upTo(t, 8)).Up(t.Context()))
		return describe(t, other)
	}())
	require.NoError(t, m.DownTo(t.Context(), 9), "the schema is older already")
	requireVersion(t, m, 8)
	require.NoError(t, m.DownTo(t.Context(), 0))
	require.Empty(t, describe(t, url))
}

func TestVersionChangesNothing(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	requireVersion(t, migrator(t, url, migrations.Files), 0)
	require.Empty(t, pgtest.Column(t, url, "SELECT relname::text FROM pg_class WHERE relname = 'schema_migrations'"))
}

func TestAFailedStepLeavesTheOneBefore(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	broken := migrator(t, url, files(t,
		"000001_first", "CREATE TABLE first ()", "DROP TABLE first",
		"000002_second", "CREATE TABLE half ();\n-- é\nSELEC 1", "DROP TABLE half",
		"000003_third", "CREATE TABLE third ()", "DROP TABLE third"))
	err := broken.Up(t.Context())
	require.ErrorContains(t, err, "migration 000002_second up")
	require.ErrorContains(t, err, "line 3")
	requireVersion(t, broken, 1)
	tables := describe(t, url)
	require.Contains(t, tables, "r first")
	require.NotContains(t, tables, "r half")

	late := files(t,
		"000001_first", "CREATE TABLE first ()", "DROP TABLE first",
		"000002_second", "CREATE TABLE half ()", "DROP TABLE half; SELECT 1/0")
	require.NoError(t, migrator(t, url, late).Up(t.Context()))
	require.ErrorContains(t, migrator(t, url, late).Down(t.Context(), 2), "migration 000002_second down")
	requireVersion(t, broken, 2)
	require.Contains(t, describe(t, url), "r half")
}

func TestAStepMustNotEndItsTransaction(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	m := migrator(t, url, files(t, "000001_first", "CREATE TABLE first (); ROLLBACK", "SELECT 1"))
	require.ErrorContains(t, m.Up(t.Context()), "must not COMMIT or ROLLBACK")
}

func TestLimitsAndDefaultsOfTheDatabaseDoNotMatter(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	for _, setting := range []string{
		"statement_timeout = 150", "lock_timeout = 150", "idle_in_transaction_session_timeout = 150",
		"default_transaction_isolation = serializable",
	} {
		pgtest.Column(t, url,
			"DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET "+setting+"', current_database()); END $$")
	}
	m := migrator(t, url, files(t, "000001_first", "SELECT pg_sleep(0.5)", "SELECT pg_sleep(0.5)"))
	require.NoError(t, m.Up(t.Context()))
	require.NoError(t, m.Down(t.Context(), 1))
}

func TestASchemaOfTheSearchPath(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	m := migrator(t, pgtest.WithParameter(t, url, "search_path", "team, public"), migrations.Files)
	// The version table of another installation is in a later schema of the search path.
	require.NoError(t, migrator(t, url, files(t, "000001_first", "SELECT 1", "SELECT 1")).Up(t.Context()))
	pgtest.Column(t, url, "CREATE SCHEMA team")
	requireVersion(t, m, 0)
	require.NoError(t, m.Up(t.Context()))
	require.Equal(t, []string{"team"},
		pgtest.Column(t, url, "SELECT schemaname::text FROM pg_tables WHERE tablename = 'entries'"))
	require.NoError(t, m.Down(t.Context(), 100))
	requireVersion(t, migrator(t, url, migrations.Files), 1)

	err := migrator(t, pgtest.WithParameter(t, url, "search_path", "nowhere"), migrations.Files).Up(t.Context())
	require.ErrorContains(t, err, "search_path")
}

func TestATableOfTheSameNameOfAnotherProgram(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	pgtest.Column(t, url, "CREATE TABLE schema_migrations (version text, dirty boolean)")
	require.ErrorContains(t, migrator(t, url, migrations.Files).Up(t.Context()), "does not belong to Lockbox")
}

func TestANewerSchema(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	newer := migrator(t, url, files(t, "000001_first", "SELECT 1", "SELECT 1", "000002_second", "SELECT 1", "SELECT 1"))
	require.NoError(t, newer.Up(t.Context()))
	older := migrator(t, url, files(t, "000001_first", "SELECT 1", "SELECT 1"))
	require.NoError(t, older.Up(t.Context()), "of the same line")
	requireVersion(t, older, 2)
	require.ErrorContains(t, older.Down(t.Context(), 1), "000002", "it does not have the step")

	next := migrator(t, url, files(t, "000001_first", "SELECT 1", "SELECT 1", "000002_second", "SELECT 1", "SELECT 1",
		"001000_next_line", "SELECT 1", "SELECT 1"))
	require.NoError(t, next.Up(t.Context()))
	err := older.Up(t.Context())
	require.ErrorContains(t, err, "001000")
	require.ErrorContains(t, err, "000001")

	gap := migrator(t, url, files(t, "000001_first", "SELECT 1", "SELECT 1", "001001_later", "SELECT 1", "SELECT 1"))
	require.ErrorContains(t, gap.Up(t.Context()), "does not know")
}

func TestCheckSchema(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		current, newest uint
		fine            bool
	}{
		{0, 1, true}, {1, 1, true}, {2, 1, true}, {999, 1, true}, {1000, 1, false}, {1000, 999, false},
		{1, 1000, true}, {1005, 1000, true}, {2000, 1999, false}, {123456, 123001, true}, {124000, 123999, false},
	} {
		err := migrate.CheckSchema(c.current, c.newest)
		require.Equal(t, c.fine, err == nil, "%d by a program of %d: %v", c.current, c.newest, err)
	}
}

func TestInvalidMigrationFiles(t *testing.T) {
	t.Parallel()
	pair := func(up, down string) fs.FS { return fstest.MapFS{up: {}, down: {}} }
	for name, source := range map[string]fs.FS{
		"empty":           fstest.MapFS{"README.md": {}},
		"no way back":     fstest.MapFS{"000001_a.up.sql": {}},
		"no way forward":  fstest.MapFS{"000001_a.down.sql": {}},
		"two names":       pair("000001_a.up.sql", "000001_b.down.sql"),
		"twice":           fstest.MapFS{"000001_a.up.sql": {}, "000001_a.down.sql": {}, "000001_b.up.sql": {}},
		"zero":            pair("000000_a.up.sql", "000000_a.down.sql"),
		"not a direction": pair("000001_a.sql", "000001_a.down.sql"),
	} {
		_, err := migrate.New("postgres://h/d", source)
		require.Error(t, err, name)
	}
	m := migrator(t, "postgres://h/d", files(t, "000001_a", "", ""))
	require.Error(t, m.Down(t.Context(), 0))
}

func TestErrorsDoNotContainThePassword(t *testing.T) {
	t.Parallel()
	const password = "s3cr3t-canary"
	for _, url := range []string{
		"postgres://u:" + password + "@h:notaport/d", "postgres://u:" + password + "%zz@h/d",
		"host=h password='" + password + " port=x", password,
		"postgres://u:" + password + "@h/d?sslmode=" + password,
	} {
		_, err := migrate.New(url, migrations.Files)
		require.Error(t, err, url)
		require.NotContains(t, err.Error(), password)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	err := migrator(t, "postgres://u:"+password+"@127.0.0.1:1/d", migrations.Files).Up(ctx)
	require.Error(t, err)
	require.NotContains(t, err.Error(), password)
	broken := migrator(t, pgtest.WithParameter(t, pgtest.Empty(t), "password", password),
		files(t, "000001_a", "SELEC", ""))
	err = broken.Up(t.Context())
	require.Error(t, err)
	require.NotContains(t, err.Error(), password)
}
