package backup

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// program writes a shell script that behaves like a program of PostgreSQL, and returns the folder of the script. The
// argument body is the part of the script that runs for every call except --version.
func program(t *testing.T, name, version, body string) string {
	t.Helper()
	dir := t.TempDir()
	script := "#!/bin/sh\n[ \"$1\" = --version ] && echo '" + name + " (PostgreSQL) " + version + "' && exit\n" + body
	// The kernel refuses to run a program while a process has its file open for writing. The lock prevents other tests
	// from starting a child process during the write, because the child would inherit the open file.
	syscall.ForkLock.RLock()
	err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o700)
	syscall.ForkLock.RUnlock()
	require.NoError(t, err)
	return dir
}

// TestFindTool verifies that the lowest sufficient version is chosen, and that the error names both the required
// version and the installed version.
func TestFindTool(t *testing.T) {
	t.Parallel()
	old := program(t, "pg_dump", "14.2 (Debian 14.2-1)", "")
	same := program(t, "pg_dump", "16.4", "")
	newer := program(t, "pg_dump", "18beta1", "")
	for oldest, want := range map[int]string{14: old, 15: same, 16: same, 17: newer, 18: newer} {
		found, err := findTool(t.Context(), "pg_dump", oldest, []string{t.TempDir(), "relative", newer, old, same})
		require.NoError(t, err)
		require.Equal(t, filepath.Join(want, "pg_dump"), found.path, "version %d", oldest)
	}
	_, err := findTool(t.Context(), "pg_dump", 17, []string{old, same})
	require.ErrorIs(t, err, ErrNoTool)
	require.ErrorContains(t, err, same+"/pg_dump is version 16, but version 17 or newer is needed")
	_, err = findTool(t.Context(), "pg_dump", 15, []string{t.TempDir()})
	require.ErrorIs(t, err, ErrNoTool)
	require.ErrorContains(t, err, "pg_dump is not installed, and version 15 or newer is needed")
}

// TestDumpLeavesNoPartialFile verifies that no file is left after a failure, a killed program or a cancellation. It
// also verifies that the error contains the reason but no row of a table.
func TestDumpLeavesNoPartialFile(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"failure": "echo part; echo 'pg_dump: error: connection refused' >&2; echo 'CONTEXT: row one' >&2; exit 1",
		"killed":  "echo part; kill -9 $$",
		"slow":    "echo part; exec sleep 60",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			dir := t.TempDir()
			if name == "slow" {
				go func() {
					for entries, _ := os.ReadDir(dir); len(entries) == 0; entries, _ = os.ReadDir(dir) {
						time.Sleep(time.Millisecond) // between two looks at the folder
					}
					cancel()
				}()
			}
			dumper := Dumper{Dirs: []string{program(t, "pg_dump", "16.1", body)}}
			err := dumper.Dump(ctx, "postgres://u:pass@h/d", "snapshot", dir, "name", &Manifest{PostgreSQL: 16})
			require.Error(t, err)
			require.NotContains(t, err.Error(), "row one")
			if name == "failure" {
				require.ErrorContains(t, err, "connection refused")
			}
			entries, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Empty(t, entries)
		})
	}
}

// TestDumpHidesSecrets verifies that pg_dump gets the password in its environment and not in its arguments. It also
// verifies that pg_dump gets no settings of Lockbox, and that only the owner of the file can read the dump.
func TestDumpHidesSecrets(t *testing.T) {
	t.Setenv("LOCKBOX_SECRET_KEY", "server-secret")
	dir := t.TempDir()
	dumper := Dumper{Dirs: []string{program(t, "pg_dump", "16.1", `echo "$@"; env`)}}
	m := Manifest{PostgreSQL: 16}
	require.NoError(t, dumper.Dump(t.Context(), "postgres://u:pass-word@h/d", "00-1", dir, "name", &m))
	content, err := os.ReadFile(filepath.Join(dir, "name.dump"))
	require.NoError(t, err)
	arguments, variables, _ := strings.Cut(string(content), "\n")
	require.NotContains(t, arguments, "pass-word")
	require.Contains(t, arguments, "--snapshot=00-1")
	require.Contains(t, variables, "PGPASSWORD=pass-word\n")
	require.NotContains(t, string(content), "server-secret")
	info, err := os.Stat(filepath.Join(dir, "name.dump"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
	require.Equal(t, int64(len(content)), m.Bytes)
	require.Equal(t, 16, m.PgDump)
	err = dumper.Dump(t.Context(), "postgres://u@h/d", "00-1", dir, "name", &m)
	require.ErrorContains(t, err, "exists already")
}
