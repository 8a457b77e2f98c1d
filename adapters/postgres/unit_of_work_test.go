package postgres_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/adapters/postgres"
	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
	"github.com/lockbox-go/lockbox/tests/pgtest"
)

// tests/storage tests the contract of ports.UnitOfWork. The tests in this file examine connections and transactions
// of the database.

func TestAUnitOfWorkIsAtomic(t *testing.T) {
	t.Parallel()
	store, url := openStore(t, nil)
	require.NoError(t, store.Do(t.Context(), func(ctx context.Context, repos ports.Repos) error {
		return repos.Events.Append(ctx, event(t, "kept"))
	}))
	refusal := domain.ErrBoxNotFound
	require.ErrorIs(t, store.Do(t.Context(), func(ctx context.Context, repos ports.Repos) error {
		require.NoError(t, repos.Events.Append(ctx, event(t, "refused")))
		return refusal
	}), refusal)
	require.PanicsWithValue(t, "a mistake", func() {
		_ = store.Do(t.Context(), func(ctx context.Context, repos ports.Repos) error {
			require.NoError(t, repos.Events.Append(ctx, event(t, "panicked")))
			panic("a mistake")
		})
	})
	requireNoOpenTransaction(t, store, url)
	require.Equal(t, []string{"kept"}, pgtest.Column(t, url, `SELECT target FROM events`))
}

func TestACancelledRequestLeavesNoTransaction(t *testing.T) {
	t.Parallel()
	store, url := openStore(t, nil)
	release := hold(t, url, `UPDATE system SET revision = 7`)
	for range 6 { // more runs than there are connections
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		err := store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
			require.NoError(t, repos.Events.Append(ctx, event(t, "rolled back")))
			_, err := repos.System.Lock(ctx)
			return err
		})
		cancel()
		require.Error(t, err)
	}
	release()
	requireNoOpenTransaction(t, store, url)
	require.Empty(t, pgtest.Column(t, url, `SELECT target FROM events`))
	require.NoError(t, store.Do(t.Context(), func(ctx context.Context, repos ports.Repos) error {
		_, err := repos.System.Lock(ctx)
		return err
	}))
}

// TestOtherErrorsOfTheDatabaseAreNotRetried covers database errors that do not cause a retry. Package tests/storage
// covers the errors that cause a retry.
func TestOtherErrorsOfTheDatabaseAreNotRetried(t *testing.T) {
	t.Parallel()
	store, _ := openStore(t, nil)
	times := 0
	err := store.Do(t.Context(), func(context.Context, ports.Repos) error {
		times++
		return &pgconn.PgError{Code: "23505"}
	})
	require.Error(t, err)
	require.Equal(t, 1, times)
}

// TestARealConflictIsRetried provokes a serialization failure in the database, at an isolation level that permits such
// failures.
func TestARealConflictIsRetried(t *testing.T) {
	t.Parallel()
	_, url := openStore(t, nil)
	store := openStoreOn(t, pgtest.WithParameter(t, url, "default_transaction_isolation", "repeatable read"), nil)
	times := 0
	require.NoError(t, store.Do(t.Context(), func(ctx context.Context, repos ports.Repos) error {
		times++
		_, err := repos.System.Owner(ctx) // takes the snapshot
		require.NoError(t, err)
		if times == 1 {
			execute(t, url, `UPDATE system SET revision = revision + 1`)
		}
		_, err = repos.System.Lock(ctx)
		return err
	}))
	require.Equal(t, 2, times)
}

// TestServerKeysAreListedUnderALock verifies that List locks the rows of the server keys until the transaction ends.
func TestServerKeysAreListedUnderALock(t *testing.T) {
	t.Parallel()
	store, url := openStore(t, nil)
	execute(t, url, `INSERT INTO server_keys (id, purpose, generation, wrapped, created_at)
		VALUES ($1, 'entry', 1, '\x01', now())`, newID(t))
	require.NoError(t, store.Do(t.Context(), func(ctx context.Context, repos ports.Repos) error {
		keys, err := repos.ServerKeys.List(ctx)
		require.NoError(t, err)
		require.Len(t, keys, 1)
		require.Empty(t, pgtest.Column(t, url, `SELECT purpose FROM server_keys FOR UPDATE SKIP LOCKED`))
		return nil
	}))
	require.Len(t, pgtest.Column(t, url, `SELECT purpose FROM server_keys FOR UPDATE SKIP LOCKED`), 1)
}

func TestAStaleServerKeyReloadsTheKeyRing(t *testing.T) {
	t.Parallel()
	reloads := 0
	var failure error
	var store *postgres.Store
	store, _ = openStore(t, func(context.Context) error {
		reloads++
		if store.Stats().Pool.Used > 0 {
			t.Error("the key ring was reloaded while a transaction was open")
		}
		return failure
	})
	times := 0
	require.NoError(t, store.Do(t.Context(), func(context.Context, ports.Repos) error {
		if times++; times == 1 {
			return ports.ErrStaleServerKey
		}
		return nil
	}))
	require.Equal(t, 1, reloads)
	require.ErrorIs(t, store.Do(t.Context(),
		func(context.Context, ports.Repos) error { return ports.ErrStaleServerKey }), ports.ErrStaleServerKey)
	failure = errors.New("no key ring")
	require.ErrorIs(t, store.Do(t.Context(),
		func(context.Context, ports.Repos) error { return ports.ErrStaleServerKey }), failure)
}
