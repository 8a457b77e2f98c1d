//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/adapters/localpg"
)

// checks executes lockbox doctor. It returns the exit code and the status of each check by name.
func checks(t *testing.T, database string, args []string, settings ...string) (int, map[string]string) {
	t.Helper()
	code, out, log := command(t, database, append([]string{"doctor", "--output", "json"}, args...),
		append([]string{"HTTP_ADDR=127.0.0.1:0"}, settings...)...)
	var result struct {
		Checks []struct{ Name, Status, Detail, Remedy string }
	}
	require.NoError(t, json.Unmarshal([]byte(out), &result), "%s%s", out, log)
	require.NotContains(t, out+log, testSecret)
	statuses := make(map[string]string)
	for _, check := range result.Checks {
		statuses[check.Name] = check.Status
	}
	return code, statuses
}

// TestDoctorCommand verifies the exit codes of the program, and its output as text and as JSON.
func TestDoctorCommand(t *testing.T) {
	t.Parallel()
	database := durable(t)
	code, out, log := command(t, database, []string{"secret", "status"}) // creates the schema and the keys
	require.Zero(t, code, "%s%s", out, log)
	code, statuses := checks(t, database, nil, "SECRET_KEY_PREVIOUS="+newSecret)
	require.Zero(t, code, statuses)
	require.Equal(t, "warning", statuses["secret"])
	code, _ = checks(t, database, []string{"--strict"}, "SECRET_KEY_PREVIOUS="+newSecret)
	require.Equal(t, 1, code)
	code, statuses = checks(t, database, nil, "SECRET_KEY="+newSecret)
	require.Equal(t, 1, code)
	require.Equal(t, "error", statuses["secret"])
	code, out, log = command(t, database, []string{"doctor"}, "SECRET_KEY="+newSecret, "HTTP_ADDR=127.0.0.1:0")
	require.Equal(t, 1, code)
	require.Regexp(t, `(?m)^CHECK +STATUS +DETAIL$`, out)
	require.Regexp(t, `(?m)^secret +error +wrong secret: .*\n +Remedy: set LOCKBOX_SECRET_KEY `, out)
	require.Contains(t, log, "the checks found 1 errors")
	code, _, _ = command(t, database, []string{"doctor", "--output", "xml"})
	require.Equal(t, 2, code)
}

// durable starts a PostgreSQL server whose commits are durable, and returns the URL of an empty database. Other tests
// share a server whose commits are not durable.
func durable(t *testing.T) string {
	t.Helper()
	server, err := localpg.Start(t.Context(), localpg.Config{Durable: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop()) })
	require.NoError(t, server.EnsureDatabase(t.Context(), "lockbox"))
	return server.URL("lockbox")
}

// TestDoctorReplication changes the replication settings of a real server.
func TestDoctorReplication(t *testing.T) {
	t.Parallel()
	database := durable(t)
	require.Equal(t, "ok", replication(t, database))
	conn, err := pgx.Connect(t.Context(), database)
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close(t.Context())) }()
	for _, step := range []struct{ sql, want string }{
		{"ALTER ROLE CURRENT_USER SET synchronous_commit = off", "error"},
		{"ALTER ROLE CURRENT_USER SET synchronous_commit = on", "ok"},
		{"ALTER SYSTEM SET synchronous_standby_names = 'standby'", "error"},
	} {
		_, err := conn.Exec(t.Context(), step.sql)
		require.NoError(t, err)
		_, err = conn.Exec(t.Context(), "SELECT pg_reload_conf()")
		require.NoError(t, err)
		require.Eventually(t, func() bool { return replication(t, database) == step.want }, waitLimit, waitTick,
			step.sql)
	}
}

// replication returns the status that doctor reports for replication.
func replication(t *testing.T, database string) string {
	t.Helper()
	_, statuses := checks(t, database, nil)
	return statuses["replication"]
}

// TestDoctorPooler runs doctor without a pooler, and through PgBouncer in transaction mode and in session mode.
func TestDoctorPooler(t *testing.T) {
	t.Parallel()
	host := networkServer(t)
	direct := url.URL{
		Scheme: "postgres",
		User:   url.User("lockbox"),
		Host:   host,
		Path:   "/lockbox",
	}
	code, out, log := command(t, direct.String(), []string{"secret", "status"}) // creates the schema and the keys
	require.Zero(t, code, "%s%s", out, log)
	_, statuses := checks(t, direct.String(), nil)
	require.Equal(t, "ok", statuses["pooler"])
	for _, mode := range []string{"transaction", "session"} {
		_, statuses := checks(t, throughPgBouncer(t, host, mode), nil)
		require.Equal(t, "warning", statuses["pooler"], mode)
		require.Equal(t, "ok", statuses["secret"], mode)
		require.Equal(t, "ok", statuses["database"], mode)
	}
}

// networkServer starts a PostgreSQL server with an empty database named lockbox, and returns the server's address.
// Every user of this machine can connect to this database. The PgBouncer test needs a server that accepts every user,
// because PgBouncer refuses to run as root. The servers of other tests accept only the user who runs the tests, who
// may be root.
func networkServer(t *testing.T) string {
	t.Helper()
	dir := openFolder(t)
	hba := filepath.Join(dir, "pg_hba.conf")
	trust := []byte("local all all trust\nhost all all 127.0.0.0/8 trust\n")
	require.NoError(t, os.WriteFile(hba, trust, 0o644))
	// The address is a random loopback address, because another server may use port 5432 of 127.0.0.1.
	random := rand.Uint32()
	address := net.IPv4(127, byte(random>>16)|1, byte(random>>8), byte(random)|1).String()
	server, err := localpg.Start(t.Context(), localpg.Config{Settings: map[string]string{
		"listen_addresses": address,
		"hba_file":         hba,
	}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop()) })
	require.NoError(t, server.EnsureDatabase(t.Context(), "lockbox"))
	return net.JoinHostPort(address, "5432")
}

// throughPgBouncer starts PgBouncer in front of a server and returns the URL of the database named lockbox.
func throughPgBouncer(t *testing.T, server, mode string) string {
	t.Helper()
	host, port, err := net.SplitHostPort(server)
	require.NoError(t, err)
	dir := openFolder(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().(*net.TCPAddr)
	require.NoError(t, listener.Close())
	ini := filepath.Join(dir, "pgbouncer.ini")
	text := fmt.Sprintf("[databases]\nlockbox = host=%s port=%s user=lockbox\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"+
		"listen_port = %d\nauth_type = any\npool_mode = %s\nunix_socket_dir =\n", host, port, address.Port, mode)
	require.NoError(t, os.WriteFile(ini, []byte(text), 0o644))
	args := []string{ini}
	if os.Geteuid() == 0 { // PgBouncer refuses to run as root
		args = append([]string{"-u", otherUser(t)}, args...)
	}
	bouncer := exec.CommandContext(t.Context(), "pgbouncer", args...)
	require.NoError(t, bouncer.Start())
	t.Cleanup(func() { _ = bouncer.Wait() }) // the context of the test has ended it
	through := url.URL{
		Scheme: "postgres",
		User:   url.User("lockbox"),
		Host:   address.String(),
		Path:   "/lockbox",
	}
	require.Eventually(t, func() bool {
		conn, err := pgx.Connect(t.Context(), through.String()+"?default_query_exec_mode=exec")
		return err == nil && conn.Close(t.Context()) == nil
	}, waitLimit, waitTick)
	return through.String()
}

// otherUser returns an unprivileged system user for the PgBouncer process.
func otherUser(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"postgres", "nobody"} {
		if _, err := user.Lookup(name); err == nil {
			return name
		}
	}
	require.Fail(t, "there is neither a user postgres nor a user nobody")
	return ""
}
