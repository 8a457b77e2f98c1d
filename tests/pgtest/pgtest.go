// Package pgtest gives each test a PostgreSQL database of its own.
//
// If LOCKBOX_TEST_DATABASE_URL is set, the package uses the server at this URL. Otherwise, it starts a server from the
// installed binaries or in a Docker container. That server stops when the test's process ends. If no server can be
// found or started, tests fail and report the missing program. They are never skipped. `go run ./tests/pgtest/share --
// go test ./...` starts one server for all packages of a run.
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

	"github.com/lockbox-go/lockbox/adapters/localpg"
)

// patience is the timeout of a statement that creates or drops a database. It is long, because other tests use the CPU
// at the same time.
const patience = time.Minute

// New returns the URL of a new database with the newest schema. The database is dropped when the test ends, even if
// connections to it are still open.
func New(t testing.TB) string {
	t.Helper()
	admin := server(t)
	template, err := sharedTemplate()
	require.NoError(t, err, "create the template database")
	return copyOf(t, admin, template)
}

// copyOf creates a copy of a template database. It also copies the settings of ALTER ROLE … IN DATABASE, which CREATE
// DATABASE does not copy.
func copyOf(t testing.TB, admin, template string) string {
	t.Helper()
	own := create(t, admin, "TEMPLATE "+pgx.Identifier{template}.Sanitize())
	config, err := pgx.ParseConfig(own)
	require.NoError(t, err)
	require.NoError(t, administer(admin, fmt.Sprintf(`DO $$ DECLARE setting text; BEGIN
		FOR setting IN SELECT unnest(setconfig) FROM pg_db_role_setting r JOIN pg_database d ON d.oid = r.setdatabase
			WHERE d.datname = '%s' AND r.setrole = (SELECT oid FROM pg_roles WHERE rolname = session_user)
		LOOP
			EXECUTE format('ALTER ROLE %%I IN DATABASE %%I SET %%I = %%L', session_user, '%s',
				split_part(setting, '=', 1), split_part(setting, '=', 2));
		END LOOP;
	END $$`, template, config.Database)))
	return own
}

// Empty is like New, but the database has no schema.
func Empty(t testing.TB) string {
	t.Helper()
	// template0 is always unmodified. Administrators may add objects to template1.
	return create(t, server(t), "TEMPLATE template0")
}

// Unprivileged is like Empty, but the role in the URL owns the database and has no other rights on the server. All
// databases that Unprivileged creates belong to this one role.
func Unprivileged(t testing.TB) string {
	t.Helper()
	const role = localpg.Unprivileged // a private server accepts only this role and its superuser
	admin := server(t)
	require.NoError(t, administer(admin, `DO $$ BEGIN CREATE ROLE `+role+` LOGIN PASSWORD '`+role+`';
		EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$`))
	own, err := url.Parse(create(t, admin, "TEMPLATE template0 OWNER "+role))
	require.NoError(t, err)
	own.User = url.UserPassword(role, role)
	return own.String()
}

// AsAdmin takes a URL that Unprivileged has returned. It returns a URL of the same database, with the role that may
// administer the server.
func AsAdmin(t testing.TB, database string) string {
	t.Helper()
	config, err := pgx.ParseConfig(database)
	require.NoError(t, err)
	own, err := withDatabase(server(t), config.Database)
	require.NoError(t, err)
	return own
}

// Copy returns the URL of a new database with the content of another test database. The other database must have no
// connections: PostgreSQL waits a few seconds for connections to end, and then the test fails.
func Copy(t testing.TB, database string) string {
	t.Helper()
	config, err := pgx.ParseConfig(database)
	require.NoError(t, err)
	return copyOf(t, server(t), config.Database)
}

// sharedServer finds or starts the server once per process. Tests have no common cleanup hook, so nothing calls Stop. A
// server that sharedServer started stops by itself when the process ends.
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

// sharedStrategy returns the STRATEGY option for CREATE DATABASE. The strategy file_copy needs two checkpoints. If
// fsync is off, checkpoints are cheap, and file_copy is faster than the default strategy wal_log. PostgreSQL 14 has no
// STRATEGY option and always copies files.
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
	require.NoError(t, err, "find or start a PostgreSQL server for the tests")
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
			t.Errorf("drop the test database: %v", err)
		}
	})
	return own
}

// admins contains one connection per server URL. These connections create and drop databases. A new connection for each
// statement would double the time that the statement takes. A connection pool is no alternative: its goroutines would
// outlive the test, and checks for leaked goroutines would fail.
var admins = struct {
	sync.Mutex
	byURL map[string]*pgx.Conn
}{byURL: make(map[string]*pgx.Conn)}

// administer runs a statement on the server. After an error it discards the connection, so the next call reconnects.
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

// withDatabase returns the URL of another database on the same server. The error does not contain the URL, because the
// URL may contain a password.
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
	_, _ = rand.Read(random) // never returns an error
	return hex.EncodeToString(random)
}

// Open is like Empty, but needs no testing.TB. It is for examples and TestMain. The caller must call drop.
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

// Number runs a query that returns a single integer, such as a count, and returns the integer.
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
