// Package pgtest gives each test a PostgreSQL database of its own.
//
// It uses the server at LOCKBOX_TEST_DATABASE_URL if that is set. Otherwise, it starts a server from the installed
// binaries or in a Docker container. That server runs as long as the test's process. If none of these is available,
// tests fail and report the missing program; they are never skipped. `go run ./tests/pgtest/share -- go test ./...`
// starts one server for all packages of a run.
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

// patience is the time limit of a statement that creates or drops a database. It is long, because other tests load the
// machine.
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

// copyOf creates a database with the content of a template, and copies the settings that the role has in the template.
// CREATE DATABASE does not copy these settings.
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
	// Unlike template1, template0 cannot have been modified.
	return create(t, server(t), "TEMPLATE template0")
}

// Unprivileged is like Empty, but returns a URL with a role that owns the database and has no other rights on the
// server. All databases of this function have the same owner.
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

// AsAdmin returns the URL of a database of Unprivileged for the superuser of the server.
func AsAdmin(t testing.TB, database string) string {
	t.Helper()
	config, err := pgx.ParseConfig(database)
	require.NoError(t, err)
	own, err := withDatabase(server(t), config.Database)
	require.NoError(t, err)
	return own
}

// Copy returns the URL of a new database with the content of another test database. It waits a few seconds until all
// connections to the other database have ended, and fails the test if a connection stays open.
func Copy(t testing.TB, database string) string {
	t.Helper()
	config, err := pgx.ParseConfig(database)
	require.NoError(t, err)
	return copyOf(t, server(t), config.Database)
}

// sharedServer finds or starts the server once per process. If sharedServer started the server, the server stops when
// the process ends for any reason, because tests have no common cleanup hook.
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

// sharedStrategy returns the STRATEGY option for CREATE DATABASE. file_copy is the faster strategy if fsync is off,
// because its two checkpoints then write nothing to disk. PostgreSQL 14 has no such option and always copies files.
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

// admins holds one connection per server URL for creating and dropping databases. A new connection for each statement
// would double the cost of the statement. The goroutines of a connection pool would outlive the test and fail leak
// checks.
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

// withDatabase returns the URL of another database on the same server. Its error does not contain the URL, which may
// hold a password.
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

// Number returns the integer result of a query, such as a count.
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
