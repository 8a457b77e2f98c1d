package postgres_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/adapters/postgres"
	"github.com/lockbox-go/lockbox/adapters/postgres/connect"
	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
	"github.com/lockbox-go/lockbox/tests/pgtest"
)

// change parses a database URL, applies the function in the argument part to it, and returns the new URL.
func change(t *testing.T, database string, part func(*url.URL)) string {
	t.Helper()
	target, err := url.Parse(database)
	require.NoError(t, err)
	part(target)
	return target.String()
}

// open opens a store on a URL that must be refused, and returns the error.
func open(t *testing.T, database string) error {
	t.Helper()
	store, err := postgres.Open(t.Context(), postgres.Config{URL: database, Clock: clock{}})
	if err == nil {
		store.Close()
	}
	require.Error(t, err)
	return err
}

// TestParametersOfTheURL covers parameters that only libpq knows. The driver would send them to the server, which would
// refuse them.
func TestParametersOfTheURL(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"keepalives_idle", "gssencmode", "load_balance_hosts", "tcp_user_timeout"} {
		_, err := connect.ParseURL("postgres://anna:hunter2@db/lockbox?" + name + "=1")
		require.ErrorContains(t, err, "the parameter "+name+" of the database URL is not supported")
		require.NotContains(t, err.Error(), "hunter2")
	}
	_, err := connect.ParseURL("postgres://anna:hunter2@db/lockbox?client_encoding=LATIN1")
	require.ErrorContains(t, err, "client_encoding")
	for _, same := range []string{"UTF8", "utf-8", "Unicode"} {
		config, err := connect.ParseURL("postgres://anna:hunter2@db/lockbox?client_encoding=" + same)
		require.NoError(t, err)
		require.NotContains(t, config.RuntimeParams, "client_encoding")
	}
	_, err = connect.ParseURL("postgres://anna:hunter2@db/lockbox?sslmode=verify-full&sslrootcert=/no/such/file")
	require.ErrorContains(t, err, "/no/such/file")
	require.NotContains(t, err.Error(), "hunter2")
}

// TestPasswordsThatAreNotEncoded covers passwords with special characters that are not percent-encoded. The driver
// would parse a part of such a password as the database, a parameter or a fragment. ParseURL must refuse the URL, and
// the error must not contain that part of the password.
func TestPasswordsThatAreNotEncoded(t *testing.T) {
	t.Parallel()
	passwords := []string{"12/ter2", "12?ter2", "12#ter2", "hun/ter2", "hun?ter2", "hun#ter2", "12/a?ter2",
		"12?application_name=ter2", "12?a=1&b=ter2", "12?user=ter2"}
	for _, password := range passwords {
		_, err := connect.ParseURL("postgres://anna:" + password + "@db/lockbox")
		require.ErrorContains(t, err, "must be percent-encoded", password)
		require.NotContains(t, err.Error(), "ter2")
	}
	for _, accepted := range []string{
		"postgres://anna:12%2Fter2%3F%23@db/lockbox?application_name=a", "host=db user=anna password=a#b@c/d?e",
		"postgres://db/lockbox?user=anna@srv&myapp.setting=1",
	} {
		_, err := connect.ParseURL(accepted)
		require.NoError(t, err, accepted)
	}
}

// TestLastingRefusals covers connections that the server will refuse again. The error must wrap ErrRefused and must
// name what an operator has to change.
func TestLastingRefusals(t *testing.T) {
	t.Parallel()
	database := pgtest.Empty(t)
	between := pgtest.NewProxy(t, database) // TCP, because TLS needs it
	stranger := func(u *url.URL) { u.User = url.UserPassword("no_such_role", "hunter2") }
	for name, test := range map[string]struct{ url, contains string }{
		"an unknown role": {change(t, database, stranger), "check the role and the password"},
		"an unknown database": {change(t, database, func(u *url.URL) { u.Path = "/no_such_database" }),
			"create the database"},
		"an unknown parameter": {pgtest.WithParameter(t, database, "no_such_setting", "1"),
			"does not accept the parameters"},
		"no TLS": {pgtest.WithParameter(t, between.URL, "sslmode", "require"), "does not offer TLS"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := open(t, test.url)
			require.ErrorIs(t, err, connect.ErrRefused)
			require.NotErrorIs(t, err, domain.Unavailable)
			require.ErrorContains(t, err, test.contains)
			require.NotContains(t, err.Error(), "hunter2")
		})
	}
	// If the URL names several hosts, the refusal of one host is not lasting: the host that does not answer may become
	// the primary later.
	unreachable := change(t, between.URL, func(u *url.URL) {
		u.Host = "127.0.0.1:1," + u.Host
		u.RawQuery = "sslmode=require"
	})
	require.ErrorIs(t, open(t, unreachable), domain.Unavailable)
}

// TestWhichRefusalsAreLasting covers the error codes that servers and poolers return when they refuse a connection.
func TestWhichRefusalsAreLasting(t *testing.T) {
	t.Parallel()
	for code, lasting := range map[string]bool{
		"08P01": false, // PgBouncer: any error, such as a server that does not answer
		"28000": true,  // no entry in pg_hba.conf
		"28P01": true,  // wrong password
		"3D000": true,  // unknown database
		"42501": true,  // no CONNECT privilege
		"08004": false, // a pooler whose server cannot be reached
		"53300": false, // no free connection
		"57P03": false, // starting up
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			between := pgtest.NewProxy(t, pgtest.Empty(t))
			between.Refuse(code, "refused by the test")
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := postgres.Open(ctx, postgres.Config{URL: between.URL, Clock: clock{}})
			require.ErrorContains(t, err, "refused by the test")
			require.Equal(t, lasting, errors.Is(err, connect.ErrRefused), "%v", err)
			require.Equal(t, !lasting, errors.Is(err, domain.Unavailable), "%v", err)
		})
	}
}

// TestOtherEncodingsAreRefused covers a database and a session whose encoding is not UTF-8.
func TestOtherEncodingsAreRefused(t *testing.T) {
	t.Parallel()
	ascii := pgtest.Empty(t)
	name := "lockbox_test_ascii_" + randomName()
	execute(t, ascii, `CREATE DATABASE `+name+` ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0`)
	t.Cleanup(func() { execute(t, ascii, `DROP DATABASE `+name+` WITH (FORCE)`) })
	err := open(t, change(t, ascii, func(u *url.URL) { u.Path = "/" + name }))
	require.ErrorIs(t, err, connect.ErrRefused)
	require.ErrorContains(t, err, "SQL_ASCII")

	latin := pgtest.Empty(t)
	config, err := pgx.ParseConfig(latin)
	require.NoError(t, err)
	execute(t, latin, `ALTER DATABASE `+config.Database+` SET client_encoding = 'LATIN1'`)
	err = open(t, latin)
	require.ErrorIs(t, err, connect.ErrRefused)
	require.ErrorContains(t, err, "client_encoding to LATIN1")
}

func randomName() string {
	random := make([]byte, 6)
	_, _ = rand.Read(random) // never returns an error
	return hex.EncodeToString(random)
}

// TestAFullServerMakesRequestsWait limits the open connections to the database. The limit is lower than the size of the
// pool. Requests must wait for a free connection, and must not fail.
func TestAFullServerMakesRequestsWait(t *testing.T) {
	t.Parallel()
	between := pgtest.NewProxy(t, pgtest.New(t))
	store := openStoreOn(t, between.URL, nil)
	between.LimitOpen(2)
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			for range 5 {
				if _, err := store.Read().System.Owner(t.Context()); err != nil {
					t.Error(err)
				}
				if err := store.Do(t.Context(), func(ctx context.Context, repos ports.Repos) error {
					return repos.Events.Append(ctx, event(t, "waited"))
				}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	require.LessOrEqual(t, store.Stats().Pool.Idle, 2)
	// A store that gets no connection at all must return the error of the server.
	held, err := store.Pool().Acquire(t.Context())
	require.NoError(t, err)
	defer held.Release()
	between.LimitOpen(1)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err = postgres.Open(ctx, postgres.Config{URL: between.URL, Clock: clock{}})
	require.ErrorIs(t, err, domain.Unavailable)
	require.ErrorContains(t, err, "too many clients")
}

// TestRefusedParameters covers the error code that PgBouncer uses for all its errors. Only the message shows whether
// PgBouncer will refuse the connection again.
func TestRefusedParameters(t *testing.T) {
	t.Parallel()
	for message, lasting := range map[string]bool{
		"unsupported startup parameter: search_path": true,
		"client_login_timeout (server down)":         false,
		"server conn crashed?":                       false,
	} {
		t.Run(message, func(t *testing.T) {
			t.Parallel()
			between := pgtest.NewProxy(t, pgtest.Empty(t))
			between.Refuse("08P01", message)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := postgres.Open(ctx, postgres.Config{URL: between.URL, Clock: clock{}})
			require.ErrorContains(t, err, message)
			require.Equal(t, lasting, errors.Is(err, connect.ErrRefused), "%v", err)
		})
	}
}
