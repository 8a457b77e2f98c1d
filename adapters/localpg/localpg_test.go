package localpg

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

func query(t *testing.T, url, sql string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close(t.Context())) }()
	results, err := conn.PgConn().Exec(t.Context(), sql).ReadAll()
	require.NoError(t, err)
	if rows := results[len(results)-1].Rows; len(rows) > 0 {
		return string(rows[0][0])
	}
	return ""
}

func TestServerIsPrivateAndKeepsItsDataOverARestart(t *testing.T) {
	t.Parallel()
	cfg := Config{Dir: filepath.Join(openFolder(t), "a b", "pg"), Durable: true,
		Settings: map[string]string{"work_mem": "5MB"}}
	first := start(t, cfg)
	require.NoError(t, first.EnsureDatabase(t.Context(), "team"))
	require.NoError(t, first.EnsureDatabase(t.Context(), "team"))
	url := first.URL("team")
	query(t, url, "CREATE TABLE kept AS SELECT 42 AS n")
	for name, want := range map[string]string{
		"listen_addresses": "", "server_encoding": "UTF8", "lc_collate": "C", "work_mem": "5MB", "fsync": "on",
	} {
		row := query(t, url, "SELECT setting FROM (SELECT current_setting('"+name+"', true) AS setting) s")
		if name == "lc_collate" {
			row = query(t, url, "SELECT datcollate FROM pg_database WHERE datname = current_database()")
		}
		require.Equal(t, want, row, name)
	}
	for _, dir := range []string{first.home.data(), first.home.run()} {
		info, err := os.Stat(dir)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o700), info.Mode().Perm(), dir)
	}
	require.NoError(t, first.Stop())
	require.NoError(t, first.Stop(), "again")

	second := start(t, cfg)
	require.Equal(t, url, second.URL("team"))
	require.Equal(t, "42", query(t, second.URL("team"), "SELECT n FROM kept"))
}

func TestATemporaryServerLeavesNothing(t *testing.T) {
	t.Parallel()
	server := start(t, Config{})
	require.DirExists(t, server.Dir())
	require.NoError(t, server.Stop())
	require.NoDirExists(t, server.Dir())
}

func TestAFailedStartReportsTheReason(t *testing.T) {
	t.Parallel()
	_, err := Start(t.Context(), Config{Settings: map[string]string{"no_such_setting": "1"}})
	require.ErrorContains(t, err, "no_such_setting")
}

func TestBinaries(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	_, err := pickBinaries(ctx, "", []string{t.TempDir(), ".", ""}, []string{filepath.Join(t.TempDir(), "*")})
	require.ErrorIs(t, err, ErrMissing)
	require.NotContains(t, err.Error(), "\n")

	install := func(version string) string {
		dir := t.TempDir()
		script := []byte("#!/bin/sh\necho '" + version + "'\n")
		for _, name := range []string{"initdb", "postgres", "pg_ctl"} {
			writeProgram(t, filepath.Join(dir, name), script)
		}
		return dir
	}
	old, devel := install("postgres (PostgreSQL) 13.9"), install("postgres (PostgreSQL) 19devel")
	fifteen, seventeen := install("postgres (PostgreSQL) 15.13 (Debian 15.13-0)"), install(
		"postgres (PostgreSQL) 17rc1")
	for _, c := range []struct {
		name, wanted        string
		preferred, packaged []string
		major               int
	}{
		{"the newest of the packages", "", nil, []string{fifteen, seventeen, devel}, 17},
		{"PATH is preferred", "", []string{old, fifteen}, []string{seventeen}, 15},
		{"an existing cluster needs its version", "17", []string{fifteen}, []string{seventeen}, 17},
		{"no version for the cluster", "16", []string{fifteen}, []string{seventeen}, 0},
		{"too old and too new", "", []string{old}, []string{devel}, 0},
	} {
		got, err := pickBinaries(ctx, c.wanted, c.preferred, c.packaged)
		require.Equal(t, c.major, got.major, c.name)
		if c.major == 0 {
			require.ErrorIs(t, err, ErrMissing, c.name)
		}
	}
}
