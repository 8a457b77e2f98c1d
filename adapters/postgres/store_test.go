package postgres_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	googleuuid "github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/adapters/postgres"
	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/tests/pgtest"
)

type clock struct{}

func (clock) Now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// openStore opens a store on a new database. The argument reload becomes Config.OnStaleServerKey.
func openStore(t testing.TB, reload func(context.Context) error) (store *postgres.Store, url string) {
	t.Helper()
	url = pgtest.New(t)
	return openStoreOn(t, url, reload), url
}

func openStoreOn(t testing.TB, url string, reload func(context.Context) error) *postgres.Store {
	t.Helper()
	store, err := postgres.Open(t.Context(), postgres.Config{URL: url, Clock: clock{}, OnStaleServerKey: reload})
	require.NoError(t, err)
	t.Cleanup(store.Close)
	_, err = store.Installation(t.Context(), newID(t), clock{}.Now())
	require.NoError(t, err)
	return store
}

func newID(t testing.TB) [16]byte {
	t.Helper()
	id, err := googleuuid.NewV7()
	require.NoError(t, err)
	return id
}

// event returns an audit event with the given target. Tests recognise the event by the target.
func event(t *testing.T, target string) domain.Event {
	t.Helper()
	return domain.NewEvent(newID(t), domain.ActionReadEntry, domain.Requester{}, domain.Caller{},
		clock{}.Now()).To(target)
}

// execute runs statements on a separate connection. A cleanup function may call it too, because it also works after the
// context of the test has been cancelled.
func execute(t testing.TB, url, sql string, args ...any) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	conn, err := pgx.Connect(ctx, url)
	require.NoError(t, err)
	_, err = conn.Exec(ctx, sql, args...)
	require.NoError(t, err)
	require.NoError(t, conn.Close(ctx))
}

// hold runs a statement in a transaction that stays open until the returned function is called.
func hold(t *testing.T, url, sql string) (release func()) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), `BEGIN`)
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), sql)
	require.NoError(t, err)
	return func() { require.NoError(t, conn.Close(context.WithoutCancel(t.Context()))) }
}

// requireNoOpenTransaction requires that all connections are back in the pool, and that none is in
// a transaction.
func requireNoOpenTransaction(t *testing.T, store *postgres.Store, url string) {
	t.Helper()
	open := func() []string {
		return pgtest.Column(t, url, `SELECT query FROM pg_stat_activity
			WHERE datname = current_database() AND application_name = 'lockbox' AND state <> 'idle'`)
	}
	// The loop waits, because the pool closes broken connections in the background.
	used := func() int { return store.Stats().Pool.Used }
	for deadline := time.Now().Add(5 * time.Second); used() > 0 || len(open()) > 0; time.Sleep(10 * time.Millisecond) {
		require.True(t, time.Now().Before(deadline), "%d used, %v", used(), open())
	}
}

// uuidOf creates a SQL function that returns the identifier for a number, so tests can refer to rows.
const uuidOf = `CREATE FUNCTION uuid_of(kind int, n int) RETURNS uuid LANGUAGE sql AS
	$$ SELECT (lpad(to_hex(kind), 2, '0') || repeat('0', 22) || lpad(to_hex(n), 8, '0'))::uuid $$`

// holders returns a credential of each kind for the user with the given number.
func holders(n int) []domain.Credential {
	return []domain.Credential{
		{Kind: domain.APIKeyCredential, ID: crowdID(2, n), User: crowdID(1, n)},
		{Kind: domain.SessionCredential, ID: crowdID(3, n), User: crowdID(1, n)},
		{
			Kind:   domain.AccessTokenCredential,
			User:   crowdID(1, n),
			Digest: sha256.Sum256(fmt.Appendf(nil, "a%d/1", n)),
		},
	}
}

func boxNamed(n int) domain.BoxName { return domain.BoxName(fmt.Sprintf("box-%d", n)) }

// crowdID computes in Go the identifier that the SQL function uuid_of returns.
func crowdID(kind byte, n int) [16]byte {
	return [16]byte{0: kind, 14: byte(n >> 8), 15: byte(n)}
}
