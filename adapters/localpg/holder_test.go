//go:build e2e

package localpg

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func postmasterOf(t *testing.T, dir string) int {
	t.Helper()
	pid, err := readPostmasterPID(home{dir: dir}.data())
	require.NoError(t, err)
	return pid
}

func TestASecondHolderIsRefused(t *testing.T) {
	t.Parallel()
	cfg := Config{Dir: clusterFolder(t)}
	start(t, cfg)
	_, err := Start(t.Context(), cfg)
	require.ErrorIs(t, err, ErrHeld)
	require.ErrorContains(t, err, strconv.Itoa(os.Getpid()))
	_, said := startHolder(t, cfg.Dir, nil)
	require.Contains(t, said, "process "+strconv.Itoa(os.Getpid()))
}

func TestTheServerDiesWithItsProgram(t *testing.T) {
	t.Parallel()
	for name, dir := range map[string]string{"in its own folder": clusterFolder(t), "in a temporary one": ""} {
		holder, said := startHolder(t, dir, nil)
		require.NotEmpty(t, holder.url, said)
		pid := postmasterOf(t, holder.dir)
		require.NoError(t, holder.cmd.Process.Kill())
		eventually(t, name+" the server has exited",
			func() bool { return !isPostmaster(pid, home{dir: holder.dir}.data()) })
		if dir == "" {
			eventually(t, "its directory is removed", func() bool {
				_, err := os.Stat(holder.dir)
				return os.IsNotExist(err)
			})
		}
	}
}

func TestARestartRightAfterAKillKeepsTheData(t *testing.T) {
	t.Parallel()
	dir := clusterFolder(t)
	holder, said := startHolder(t, dir, nil)
	require.NotEmpty(t, holder.url, said)
	query(t, holder.url, "CREATE TABLE kept AS SELECT 42 AS n")
	require.NoError(t, holder.cmd.Process.Kill())
	_ = holder.cmd.Wait()
	require.Equal(t, "42", query(t, start(t, Config{Dir: dir}).URL("postgres"), "SELECT n FROM kept"))
}

func TestAnOrphanWithoutItsGuardIsStopped(t *testing.T) {
	t.Parallel()
	dir := clusterFolder(t)
	holder, said := startHolder(t, dir, nil)
	require.NotEmpty(t, holder.url, said)
	query(t, holder.url, "CREATE TABLE kept AS SELECT 42 AS n")
	orphan := postmasterOf(t, dir)
	guards, err := childrenOf(holder.cmd.Process.Pid)
	require.NoError(t, err)
	require.Len(t, guards, 1)
	watchers, err := childrenOf(guards[0])
	require.NoError(t, err)
	for _, pid := range append(watchers, guards[0]) {
		if pid != orphan {
			require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
		}
	}
	require.NoError(t, holder.cmd.Process.Kill())
	_ = holder.cmd.Wait()
	require.True(t, isPostmaster(orphan, home{dir: dir}.data()), "the guard can no longer stop it")

	next := start(t, Config{Dir: dir})
	require.NotEqual(t, orphan, postmasterOf(t, dir))
	require.Equal(t, "42", query(t, next.URL("postgres"), "SELECT n FROM kept"))
}

// TestAnOrdinaryUser runs the program and PostgreSQL as the same user, who is not root. The other tests do not cover
// this case if root runs them.
func TestAnOrdinaryUser(t *testing.T) {
	t.Parallel()
	dir, ordinary := openFolder(t), (*syscall.Credential)(nil)
	if os.Geteuid() == 0 {
		const unprivileged = 65534
		require.NoError(t, os.Chown(dir, unprivileged, unprivileged))
		ordinary = &syscall.Credential{Uid: unprivileged, Gid: unprivileged}
	}
	first, said := startHolder(t, dir, ordinary)
	require.NotEmpty(t, first.url, said)
	require.Equal(t, dir, first.dir)
	query(t, first.url, "CREATE TABLE kept AS SELECT 42 AS n")
	require.NoError(t, first.cmd.Process.Kill())
	_ = first.cmd.Wait()
	second, said := startHolder(t, dir, ordinary)
	require.NotEmpty(t, second.url, said)
	require.Equal(t, "42", query(t, second.url, "SELECT n FROM kept"))
	pid := postmasterOf(t, dir)
	require.NoError(t, second.release.Close())
	require.NoError(t, second.cmd.Wait())
	require.False(t, isPostmaster(pid, home{dir: dir}.data()))
}

// TestAFolderOutOfReachOfPostgreSQLsUser starts a server in a folder that only the current user can enter. If root runs
// the test, PostgreSQL runs as another user, so Start must use a directory in /var/lib. If any other user runs the
// test, Start must use the folder.
func TestAFolderOutOfReachOfPostgreSQLsUser(t *testing.T) {
	t.Parallel()
	closed := openFolder(t)
	require.NoError(t, os.Chmod(closed, 0o700))
	cfg := Config{Dir: filepath.Join(closed, "pg")}
	first := start(t, cfg)
	if os.Geteuid() != 0 {
		require.Equal(t, cfg.Dir, first.Dir())
		return
	}
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(first.Dir())) })
	require.Equal(t, "/var/lib", filepath.Dir(first.Dir()))
	info, err := os.Stat(first.Dir())
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	query(t, first.URL("postgres"), "CREATE TABLE kept AS SELECT 42 AS n")
	_, err = Start(t.Context(), cfg)
	require.ErrorIs(t, err, ErrHeld)
	require.NoError(t, first.Stop())
	second := start(t, cfg)
	require.Equal(t, first.Dir(), second.Dir())
	require.Equal(t, "42", query(t, second.URL("postgres"), "SELECT n FROM kept"))
	require.NoError(t, second.Stop())
}
