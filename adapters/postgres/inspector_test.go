package postgres_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/adapters/postgres"
	"github.com/lockbox-go/lockbox/tests/pgtest"
)

// TestRequireUnprivileged verifies that a plain role is accepted and that a superuser is refused.
func TestRequireUnprivileged(t *testing.T) {
	t.Parallel()
	for database, want := range map[string]string{
		pgtest.Unprivileged(t): "",
		pgtest.Empty(t):        "superuser rights",
	} {
		inspector, err := postgres.Inspect(t.Context(), database)
		require.NoError(t, err)
		err = inspector.RequireUnprivileged(t.Context())
		inspector.Close()
		if want == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, want)
		}
	}
}

// TestClear fills a database with objects of many kinds, as SQL in a backup could do. Clear must drop all these
// objects.
func TestClear(t *testing.T) {
	t.Parallel()
	database := pgtest.Unprivileged(t)
	inspector, err := postgres.Inspect(t.Context(), database)
	require.NoError(t, err)
	defer inspector.Close()
	require.NoError(t, inspector.RequireEmpty(t.Context()))
	for _, sql := range []string{
		`CREATE FUNCTION f(a integer, b text DEFAULT 'x') RETURNS integer LANGUAGE sql AS 'SELECT 1'`,
		`CREATE PROCEDURE p() LANGUAGE sql AS 'SELECT 1'`,
		`CREATE AGGREGATE total(integer) (SFUNC = int4pl, STYPE = integer)`,
		`CREATE TYPE colour AS ENUM ('red'); CREATE TYPE pair AS (a integer, b integer)`,
		`CREATE DOMAIN positive AS integer CHECK (VALUE > 0)`,
		`CREATE TABLE "a table" (id serial PRIMARY KEY, c colour, p positive); CREATE VIEW v AS SELECT 1 AS one`,
		`CREATE MATERIALIZED VIEW m AS SELECT 1 AS one; CREATE SEQUENCE s`,
		`CREATE STATISTICS st ON id, c FROM "a table"`,
		`CREATE OPERATOR === (LEFTARG = integer, RIGHTARG = integer, FUNCTION = int4eq)`,
		`CREATE SCHEMA other CREATE TABLE t (id integer); CREATE EXTENSION IF NOT EXISTS citext SCHEMA other`,
		`CREATE COLLATION c FROM "C"`,
	} {
		execute(t, database, sql)
		require.ErrorContains(t, inspector.RequireEmpty(t.Context()), "must be empty", sql)
	}
	require.NoError(t, inspector.Clear(t.Context()))
	require.NoError(t, inspector.RequireEmpty(t.Context()))
	require.Zero(t, pgtest.Number(t, database,
		`SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace`))
}
