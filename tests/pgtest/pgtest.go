// Package pgtest gives each test a PostgreSQL database of its own.
//
// The server is the one that LOCKBOX_TEST_DATABASE_URL names, else one started from the machine's own binaries for
// the life of the test's process, else a container where Docker answers. A test never skips for want of one: it fails
// and says what is missing. `go run ./tests/pgtest/share -- go test ./...` starts one server for a run over many
// packages.
package pgtest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// patience is for a single statement that makes or drops a database on a machine that is busy with tests.
const patience = time.Minute

// New returns the URL of a new database with the newest schema. The test's end drops it, whoever is still connected.
func New(t testing.TB) string {
	t.Helper()
	admin := server(t)
	template, err := sharedTemplate()
	require.NoError(t, err, "make the template of the test databases")
	return create(t, admin, "TEMPLATE "+pgx.Identifier{template}.Sanitize())
}

// Empty is New without a schema.
func Empty(t testing.TB) string {
	t.Helper()
	// template0 is what nobody can have added anything to.
	return create(t, server(t), "TEMPLATE template0")
}

// sharedServer ends with the process, however that ends: tests have no common last moment to stop it in.
var sharedServer = sync.OnceValues(func() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	server, err := Provide(ctx)
	if err != nil {
		return "", err
	}
	return server.URL, nil
})

var sharedTemplate = sync.OnceValues(func() (string, error) {
	admin, err := sharedServer()
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return template(ctx, admin)
})

// sharedStrategy is the option of CREATE DATABASE that suits the server. Copying files takes less time than writing
// them to the log, but for two checkpoints, which are cheap only where nothing is flushed to disk. PostgreSQL 14 has no
// such option and copies files.
var sharedStrategy = sync.OnceValues(func() (option string, err error) {
	admin, err := sharedServer()
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, admin)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close(ctx) }()
	err = conn.QueryRow(ctx, `SELECT CASE WHEN current_setting('fsync') = 'off'
		AND current_setting('server_version_num')::int >= 150000 THEN ' STRATEGY file_copy' ELSE '' END`).Scan(&option)
	return option, err
})

func server(t testing.TB) string {
	t.Helper()
	admin, err := sharedServer()
	require.NoError(t, err, "the tests need a PostgreSQL server")
	return admin
}

func create(t testing.TB, admin, from string) string {
	t.Helper()
	name := "lockbox_test_" + randomHex()
	own, err := withDatabase(admin, name)
	require.NoError(t, err)
	strategy, err := sharedStrategy()
	require.NoError(t, err, "read the settings of the tests' server")
	require.NoError(t, administer(admin, "CREATE DATABASE "+name+" "+from+strategy))
	t.Cleanup(func() {
		if err := administer(admin, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("drop the test's database: %v", err)
		}
	})
	return own
}

// admins are the connections over which databases are made and dropped, by the server's URL: a backend's start costs as
// much as the statement, and a pool's goroutines would outlive the test.
var admins = struct {
	sync.Mutex
	byURL map[string]*pgx.Conn
}{byURL: make(map[string]*pgx.Conn)}

// administer runs one statement, and connects anew for the next one if it fails.
func administer(admin, statement string) error {
	admins.Lock()
	defer admins.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn := admins.byURL[admin]
	if conn == nil {
		var err error
		if conn, err = pgx.Connect(ctx, admin); err != nil {
			return err
		}
		admins.byURL[admin] = conn
	}
	_, err := conn.Exec(ctx, statement)
	if err != nil {
		delete(admins.byURL, admin)
		err = errors.Join(err, conn.Close(ctx))
	}
	return err
}

// withDatabase is the URL of another database on the same server.
func withDatabase(server, name string) (string, error) {
	u, err := url.Parse(server)
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
		return "", fmt.Errorf("%s must be a URL that begins with postgres://", Variable)
	}
	u.Path = "/" + name
	return u.String(), nil
}

func randomHex() string {
	random := make([]byte, 8)
	_, _ = rand.Read(random) // it never fails
	return hex.EncodeToString(random)
}

// Open is Empty for who has no testing.TB, such as the examples of a package: drop is to be called in the end.
func Open() (database string, drop func() error, err error) {
	admin, err := sharedServer()
	if err != nil {
		return "", nil, err
	}
	name := "lockbox_test_" + randomHex()
	if database, err = withDatabase(admin, name); err != nil {
		return "", nil, err
	}
	if err := administer(admin, "CREATE DATABASE "+name+" TEMPLATE template0"); err != nil {
		return "", nil, err
	}
	return database, func() error { return administer(admin, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)") }, nil
}

// Number returns what a query counts in a database.
func Number(t testing.TB, database, sql string) (number int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, database)
	require.NoError(t, err)
	defer func() { _ = conn.Close(ctx) }()
	require.NoError(t, conn.QueryRow(ctx, sql).Scan(&number))
	return number
}
