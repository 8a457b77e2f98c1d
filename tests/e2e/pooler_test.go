//go:build e2e && linux

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/lockbox-go/lockbox/tests/pgtest"
)

const (
	// soakTime is how long the clients send requests. killInterval is the time between two kills of a database session.
	soakTime     = 12 * time.Second
	killInterval = 400 * time.Millisecond
	soakClients  = 8
)

// TestPoolers runs two servers that use the database through PgBouncer. Meanwhile, the test kills database sessions. No
// acknowledged write may be lost, and no client may get the response to another client's request. Every database
// session must still have the timeouts of Lockbox. The PgBouncer configuration does not set ignore_startup_parameters,
// so PgBouncer refuses unknown startup parameters.
func TestPoolers(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"transaction", "session"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			// The database is empty. The first server migrates the database and configures the database role through
			// the pooler.
			database := pgtest.Empty(t)
			pooled := startPgBouncer(t, database, mode)
			servers := []*server{startOn(t, pooled, "DB_POOLING="+mode), startOn(t, pooled, "DB_POOLING="+mode)}
			root := servers[0].initialize()
			soak := &soak{t: t, servers: servers, end: time.Now().Add(soakTime)}
			var group errgroup.Group
			for i := range soakClients {
				user := root.user(fmt.Sprintf("user%d", i))
				user.box(fmt.Sprintf("box%d", i))
				group.Go(func() error { return soak.work(user, i) })
			}
			group.Go(func() error { return killSessions(database, soak.end) })
			require.NoError(t, group.Wait())
			t.Logf("%s: %d acknowledged, %d refused", mode, soak.acknowledged.Load(), soak.refused.Load())
			assert.Greater(t, soak.acknowledged.Load(), int64(100))
			assert.Greater(t, soak.acknowledged.Load(), soak.refused.Load())
			requireLimits(t, pooled)
			for _, s := range servers {
				assert.NotContains(t, s.log.String(), "prepared statement")
				assert.NotContains(t, s.log.String(), `"status":500`)
			}
		})
	}
}

// soak makes several clients send requests until the time in the field end. It counts the answers.
type soak struct {
	t                     *testing.T
	servers               []*server
	end                   time.Time
	acknowledged, refused atomic.Int64
}

// The work method repeatedly writes the next number to an entry and reads the entry. A random server handles each
// request.
func (s *soak) work(user client, i int) error {
	box := fmt.Sprintf("box%d", i)
	least, attempt := 0, 0
	for time.Now().Before(s.end) {
		attempt++
		written := user.at(s.servers[rand.N(2)]).put(box, "k", strconv.Itoa(attempt))
		switch written.Status {
		case 201:
			least = attempt
		case 503:
		default:
			return fmt.Errorf("write: status %d: %s", written.Status, written.Body)
		}
		s.count(written)
		read := user.at(s.servers[rand.N(2)]).get(box, "k")
		switch read.Status {
		case 200:
			value, err := strconv.Atoi(string(bytes.TrimSpace(read.Body)))
			if err != nil || value < least || value > attempt {
				return fmt.Errorf("read %q, but %d was acknowledged, and %d sent", read.Body, least, attempt)
			}
		case 404:
			if least > 0 {
				return fmt.Errorf("no entry, but %d was acknowledged", least)
			}
		case 503:
		default:
			return fmt.Errorf("read: status %d: %s", read.Status, read.Body)
		}
		s.count(read)
		listed := user.do("GET", "/boxes", nil)
		if got := string(bytes.TrimSpace(listed.Body)); listed.Status == 200 && got != `["`+box+`"]` {
			return fmt.Errorf("the boxes of user%d: %s", i, got)
		}
	}
	return nil
}

func (s *soak) count(a *answer) {
	if a.Status == 503 {
		s.refused.Add(1)
	} else {
		s.acknowledged.Add(1)
	}
}

// killSessions repeatedly kills a random session of the database until the time in the argument end.
func killSessions(database string, end time.Time) error {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, database)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for time.Now().Before(end) {
		_, err := conn.Exec(ctx, `SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity
			WHERE datname = current_database() AND application_name = 'lockbox' ORDER BY random() LIMIT 1) s`)
		if err != nil {
			return err
		}
		time.Sleep(killInterval) // real time between faults
	}
	return nil
}

// requireLimits connects through the pooler several times and checks the timeouts of each session.
func requireLimits(t *testing.T, pooled string) {
	t.Helper()
	for range 10 {
		conn, err := pgx.Connect(t.Context(), pgtest.WithParameter(t, pooled, "default_query_exec_mode", "exec"))
		require.NoError(t, err)
		var statement, lock, idle string
		require.NoError(t, conn.QueryRow(t.Context(), `SELECT current_setting('statement_timeout'),
			current_setting('lock_timeout'), current_setting('idle_in_transaction_session_timeout')`).
			Scan(&statement, &lock, &idle))
		require.Equal(t, []string{"10s", "5s", "10s"}, []string{statement, lock, idle})
		require.NoError(t, conn.Close(t.Context()))
	}
}

// startPgBouncer starts PgBouncer in front of a database. It returns the URL with which a server connects through
// PgBouncer. PgBouncer ends with the test.
func startPgBouncer(t *testing.T, database, mode string) string {
	t.Helper()
	config, err := pgx.ParseConfig(database)
	require.NoError(t, err)
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		program = "/usr/sbin/pgbouncer"
	}
	folder, err := os.MkdirTemp("/tmp", "lockbox-pgbouncer-")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(folder)) })
	require.NoError(t, os.Chmod(folder, 0o755))
	port := freePort(t)
	server := relayTo(t, config)
	password := ""
	if config.Password != "" {
		password = "password=" + config.Password
	}
	path := filepath.Join(folder, "pgbouncer.ini")
	require.NoError(t, os.WriteFile(path, fmt.Appendf(nil, `[databases]
* = host=127.0.0.1 port=%d user=%s %s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = any
pool_mode = %s
default_pool_size = 25
max_client_conn = 200
`, server, config.User, password, port, mode), 0o644))
	command := exec.Command(program, path)
	// The unprivileged user may lack access to the current directory of the test.
	command.Dir = folder
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Credential: unprivileged(t)}
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
		if t.Failed() {
			t.Logf("PgBouncer: %s", output.String())
		}
	})
	pooled := url.URL{
		Scheme:   "postgres",
		User:     url.User(config.User),
		Host:     net.JoinHostPort("127.0.0.1", strconv.Itoa(port)),
		Path:     "/" + config.Database,
		RawQuery: "sslmode=disable",
	}
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", pooled.Host)
		if err == nil {
			err = conn.Close()
		}
		return err == nil
	}, 10*time.Second, 20*time.Millisecond, "PgBouncer does not listen")
	return pooled.String()
}

// unprivileged returns the credential of the system user "nobody" if this process runs as root. Otherwise it returns
// nil. PgBouncer refuses to run as root.
func unprivileged(t *testing.T) *syscall.Credential {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	account, err := user.Lookup("nobody")
	require.NoError(t, err)
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	require.NoError(t, err)
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	require.NoError(t, err)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// relayTo forwards connections from a port to the database and returns the port. PgBouncer needs this relay if the
// database server listens on a Unix socket that only the user of this process can open.
func relayTo(t *testing.T, config *pgx.ConnConfig) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, listener.Close()) })
	network, address := "tcp", net.JoinHostPort(config.Host, strconv.Itoa(int(config.Port)))
	if filepath.IsAbs(config.Host) {
		network, address = "unix", filepath.Join(config.Host, ".s.PGSQL."+strconv.Itoa(int(config.Port)))
	}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go relay(client, network, address)
		}
	}()
	return listener.Addr().(*net.TCPAddr).Port
}

// relay copies data in both directions of a connection until one side closes.
func relay(client net.Conn, network, address string) {
	defer client.Close()
	server, err := net.Dial(network, address)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		_, _ = io.Copy(server, client)
		server.Close()
	}()
	_, _ = io.Copy(client, server)
}

// freePort returns a loopback port that no program uses. Another program can take the port before the caller uses it.
func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := listener.Addr().(*net.TCPAddr).Port
	require.NoError(t, listener.Close())
	return port
}
