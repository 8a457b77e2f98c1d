package postgres_test

import (
	"context"
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

// openStore opens a store on a database of its own.
func openStore(t *testing.T, reload func(context.Context) error) (store *postgres.Store, url string) {
	t.Helper()
	url = pgtest.New(t)
	return openStoreOn(t, url, reload), url
}

func openStoreOn(t *testing.T, url string, reload func(context.Context) error) *postgres.Store {
	t.Helper()
	store, err := postgres.Open(t.Context(), postgres.Config{URL: url, Clock: clock{}, OnStaleServerKey: reload})
	require.NoError(t, err)
	t.Cleanup(store.Close)
	_, err = store.Installation(t.Context(), newID(t), clock{}.Now())
	require.NoError(t, err)
	return store
}

func newID(t *testing.T) [16]byte {
	t.Helper()
	id, err := googleuuid.NewV7()
	require.NoError(t, err)
	return id
}

// event is a line of the record that can be told from others by its target.
func event(t *testing.T, target string) domain.Event {
	t.Helper()
	return domain.NewEvent(newID(t), domain.ActionReadEntry, domain.Requester{}, domain.Caller{},
		clock{}.Now()).To(target)
}

func execute(t *testing.T, url, sql string, args ...any) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), sql, args...)
	require.NoError(t, err)
	require.NoError(t, conn.Close(t.Context()))
}

// hold locks something until the function that it returns is called.
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

// requireNoOpenTransaction: all connections of the store are back in its pool, and none is in a transaction.
func requireNoOpenTransaction(t *testing.T, store *postgres.Store, url string) {
	t.Helper()
	open := func() []string {
		return rows(t, url, `SELECT query FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'lockbox'
			AND state <> 'idle'`)
	}
	// The pool closes broken connections in the background.
	for deadline := time.Now().Add(5 * time.Second); store.Stat().AcquiredConns() > 0 ||
		len(open()) > 0; time.Sleep(10 * time.Millisecond) {
		require.True(t, time.Now().Before(deadline), "%d used, %v", store.Stat().AcquiredConns(), open())
	}
}
