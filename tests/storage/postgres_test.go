package storage_test

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/lockbox-go/lockbox/adapters/postgres"
	"github.com/lockbox-go/lockbox/adapters/postgres/sqlstate"
	"github.com/lockbox-go/lockbox/adapters/system"
	"github.com/lockbox-go/lockbox/tests/pgtest"
	"github.com/lockbox-go/lockbox/tests/storage"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestPostgreSQL runs the suite on the server at LOCKBOX_TEST_DATABASE_URL. Without that variable, pgtest starts a
// server.
func TestPostgreSQL(t *testing.T) {
	t.Logf("PostgreSQL %s", serverVersion(t))
	storage.Exercise(t, openPostgreSQL)
}

func openPostgreSQL(t *testing.T, onStaleServerKey func(context.Context) error) storage.Store {
	t.Helper()
	store, err := postgres.Open(t.Context(), postgres.Config{
		URL:              pgtest.New(t),
		Clock:            system.Clock{},
		OnStaleServerKey: onStaleServerKey,
	})
	require.NoError(t, err)
	t.Cleanup(store.Close)
	_, err = store.Installation(t.Context(), uuid.New(), system.Clock{}.Now())
	require.NoError(t, err)
	events := store.NewEventWriter()
	t.Cleanup(events.Close)
	return storage.Store{
		Store:       store,
		EntryReader: store,
		EntryWriter: store,
		Janitor:     store,
		Events:      events,
		Queue:       store.NewEventQueue(),
		Conflicts: []error{
			&pgconn.PgError{Code: sqlstate.SerializationFailure},
			&pgconn.PgError{Code: sqlstate.DeadlockDetected},
		},
	}
}

func serverVersion(t *testing.T) (version string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), pgtest.Empty(t))
	require.NoError(t, err)
	require.NoError(t, conn.QueryRow(t.Context(), `SHOW server_version`).Scan(&version))
	require.NoError(t, conn.Close(t.Context()))
	return version
}
