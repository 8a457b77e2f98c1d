//go:build e2e

package localpg

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

func TestTwoFoldersRunSideBySide(t *testing.T) {
	t.Parallel()
	one, two := start(t, Config{}), start(t, Config{})
	query(t, one.URL("postgres"), "CREATE TABLE here ()")
	require.Equal(t, "0", query(t, two.URL("postgres"), "SELECT count(*) FROM pg_class WHERE relname = 'here'"))
}

func TestKillIsACrashThatARestartRecoversFrom(t *testing.T) {
	t.Parallel()
	cfg := Config{Dir: clusterFolder(t), Durable: true}
	first := start(t, cfg)
	query(t, first.URL("postgres"), "CREATE TABLE kept AS SELECT 42 AS n")
	open, err := pgx.Connect(t.Context(), first.URL("postgres"))
	require.NoError(t, err)
	require.NoError(t, first.Kill())
	require.Error(t, open.Ping(t.Context()), "its backend was killed too")
	require.NoError(t, open.Close(t.Context()))
	require.NoError(t, first.Stop(), "Stop after Kill does nothing")

	second := start(t, cfg)
	require.Equal(t, first.URL("postgres"), second.URL("postgres"))
	require.Equal(t, "42", query(t, second.URL("postgres"), "SELECT n FROM kept"))
	log, err := os.ReadFile(second.home.log())
	require.NoError(t, err)
	require.Contains(t, string(log), "was not properly shut down", "Kill must not shut down properly")
}

func TestAServerSurvivesGarbageCollection(t *testing.T) {
	t.Parallel()
	url := func() string {
		server, err := Start(t.Context(), Config{})
		require.NoError(t, err)
		return server.URL("postgres")
	}()
	for range 3 {
		runtime.GC()
	}
	time.Sleep(300 * time.Millisecond) // enough time for an unwanted shutdown
	require.Equal(t, "1", query(t, url, "SELECT 1"))
}

func TestAPathTooLongForASocket(t *testing.T) {
	t.Parallel()
	cfg := Config{Dir: filepath.Join(openFolder(t), strings.Repeat("long/", 25))}
	server := start(t, cfg)
	require.NotEqual(t, server.home.run(), server.sockets)
	require.Equal(t, "1", query(t, server.URL("postgres"), "SELECT 1"))
	require.NoError(t, server.Stop())
	require.NoDirExists(t, server.sockets)
	require.DirExists(t, server.home.data())
}

func TestTheLogGoesToItsWriter(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	server := start(t, Config{Dir: clusterFolder(t), Log: &log})
	require.NoError(t, server.Stop())
	require.Contains(t, log.String(), "ready to accept connections")
}

func TestAStartThatIsCancelledLeavesTheFolderFree(t *testing.T) {
	t.Parallel()
	cfg := Config{Dir: openFolder(t)}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Start(ctx, cfg)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, "1", query(t, start(t, cfg).URL("postgres"), "SELECT 1"))
}

func TestAClusterOfAMissingVersionIsRefused(t *testing.T) {
	t.Parallel()
	cfg := Config{Dir: clusterFolder(t)}
	server := start(t, cfg)
	require.NoError(t, server.Stop())
	require.NoError(t, os.WriteFile(filepath.Join(server.home.data(), "PG_VERSION"), []byte("9\n"), 0o600))
	_, err := Start(t.Context(), cfg)
	require.ErrorContains(t, err, "PostgreSQL 9")
}

func TestAStaleProcessIDIsNotSignalled(t *testing.T) {
	t.Parallel()
	cfg := Config{Dir: clusterFolder(t)}
	server := start(t, cfg)
	require.NoError(t, server.Stop())
	for _, content := range []string{"", strconv.Itoa(os.Getpid()) + "\n" + server.home.data() + "\n"} {
		require.NoError(t, os.WriteFile(pidFile(server.home.data()), []byte(content), 0o600))
		next := start(t, cfg)
		require.Equal(t, "1", query(t, next.URL("postgres"), "SELECT 1"))
		require.NoError(t, next.Stop())
	}
}

// TestAnOlderClusterIsClosed starts a cluster whose own pg_hba.conf trusts every user, and verifies that the server
// requires peer authentication.
func TestAnOlderClusterIsClosed(t *testing.T) {
	t.Parallel()
	dir := openFolder(t)
	first := start(t, Config{Dir: dir})
	require.NoError(t, first.Stop())
	trusting := filepath.Join(home{dir: dir}.data(), "pg_hba.conf")
	require.NoError(t, os.WriteFile(trusting, []byte("local all all trust\n"), 0o600))
	second := start(t, Config{Dir: dir})
	require.Equal(t, "peer", query(t, second.URL("postgres"), "SELECT auth_method FROM pg_hba_file_rules"))
}
