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
)

func TestAUnitOfWorkIsKeptWholeOrNotAtAll(t *testing.T) {
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
	require.Equal(t, []string{"kept"}, rows(t, url, `SELECT target FROM events`))
}

func TestANestedUnitOfWorkIsRefused(t *testing.T) {
	t.Parallel()
	store, url := openStore(t, nil)
	err := store.Do(t.Context(), func(ctx context.Context, repos ports.Repos) error {
		require.NoError(t, repos.Events.Append(ctx, event(t, "outer")))
		return store.Do(ctx, func(context.Context, ports.Repos) error {
			t.Error("the inner one ran")
			return nil
		})
	})
	require.ErrorContains(t, err, "inside a unit of work")
	require.Zero(t, domain.KindOf(err), "a mistake of the program, not a refusal")
	require.Empty(t, rows(t, url, `SELECT target FROM events`))
}

// TestACommitOutlivesItsRequest: whoever hangs up between the last statement and the answer has not taken the change
// back, and must not leave it half committed on a standby.
func TestACommitOutlivesItsRequest(t *testing.T) {
	t.Parallel()
	store, url := openStore(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	require.NoError(t, store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		defer cancel()
		return repos.Events.Append(ctx, event(t, "kept"))
	}))
	require.Equal(t, []string{"kept"}, rows(t, url, `SELECT target FROM events`))
}

func TestARequestThatEndsLeavesNoTransaction(t *testing.T) {
	t.Parallel()
	store, url := openStore(t, nil)
	release := hold(t, url, `UPDATE system SET revision = 7`)
	for range 6 { // more than there are connections
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		err := store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
			require.NoError(t, repos.Events.Append(ctx, event(t, "gone")))
			_, err := repos.System.Lock(ctx)
			return err
		})
		cancel()
		require.Error(t, err)
	}
	release()
	requireNoOpenTransaction(t, store, url)
	require.Empty(t, rows(t, url, `SELECT target FROM events`))
	require.NoError(t, store.Do(t.Context(), func(ctx context.Context, repos ports.Repos) error {
		_, err := repos.System.Lock(ctx)
		return err
	}))
}

func TestWhatTheDatabaseRefusedIsRunAgain(t *testing.T) {
	t.Parallel()
	store, url := openStore(t, nil)
	for _, code := range []string{"40001", "40P01"} {
		times := 0
		require.NoError(t, store.Do(t.Context(), func(ctx context.Context, repos ports.Repos) error {
			require.NoError(t, repos.Events.Append(ctx, event(t, code)))
			if times++; times < 3 {
				return &pgconn.PgError{Code: code}
			}
			return nil
		}))
		require.Equal(t, 3, times)
		require.Len(t, rows(t, url, `SELECT target FROM events WHERE target = $1`, code), 1)

		times = 0
		err := store.Do(t.Context(), func(context.Context, ports.Repos) error {
			times++
			return &pgconn.PgError{Code: code}
		})
		require.ErrorIs(t, err, domain.Unavailable)
		require.Equal(t, 3, times)
	}
	times := 0
	err := store.Do(t.Context(), func(context.Context, ports.Repos) error {
		times++
		return &pgconn.PgError{Code: "23505"}
	})
	require.Error(t, err)
	require.Equal(t, 1, times, "nothing else is")
}

// TestTheLoserOfARaceWins shows a refusal of the database itself, at an isolation level that refuses.
func TestTheLoserOfARaceWins(t *testing.T) {
	t.Parallel()
	_, url := openStore(t, nil)
	store := openStoreOn(t, with(t, url, "default_transaction_isolation", "repeatable read"), nil)
	times := 0
	require.NoError(t, store.Do(t.Context(), func(ctx context.Context, repos ports.Repos) error {
		times++
		_, err := repos.System.Owner(ctx) // the snapshot is of before
		require.NoError(t, err)
		if times == 1 {
			execute(t, url, `UPDATE system SET revision = revision + 1`)
		}
		_, err = repos.System.Lock(ctx)
		return err
	}))
	require.Equal(t, 2, times)
}

// TestServerKeysAreListedUnderALock: of two commands that change them, the second sees what the first one did.
func TestServerKeysAreListedUnderALock(t *testing.T) {
	t.Parallel()
	store, url := openStore(t, nil)
	execute(t, url, `INSERT INTO server_keys (id, purpose, generation, wrapped, created_at) VALUES ($1, 'entry', 1, '\x01', now())`, newID(t))
	require.NoError(t, store.Do(t.Context(), func(ctx context.Context, repos ports.Repos) error {
		keys, err := repos.ServerKeys.List(ctx)
		require.NoError(t, err)
		require.Len(t, keys, 1)
		require.Empty(t, rows(t, url, `SELECT purpose FROM server_keys FOR UPDATE SKIP LOCKED`))
		return nil
	}))
	require.Len(t, rows(t, url, `SELECT purpose FROM server_keys FOR UPDATE SKIP LOCKED`), 1)
}

func TestStartingOver(t *testing.T) {
	t.Parallel()
	store, url := openStore(t, nil)
	times := 0
	require.NoError(t, store.Do(t.Context(), func(ctx context.Context, repos ports.Repos) error {
		require.NoError(t, repos.Events.Append(ctx, event(t, "once")))
		if times++; times < 6 {
			return ports.ErrStartOver
		}
		return nil
	}))
	require.Len(t, rows(t, url, `SELECT target FROM events`), 1)
	times = 0
	require.ErrorIs(t, store.Do(t.Context(), func(context.Context, ports.Repos) error {
		times++
		return ports.ErrStartOver
	}), domain.Unavailable)
	require.Less(t, times, 20, "not for ever")
}

func TestAStaleServerKeyReloadsTheKeyRing(t *testing.T) {
	t.Parallel()
	reloads := 0
	var failure error
	var store *postgres.Store
	store, _ = openStore(t, func(context.Context) error {
		reloads++
		if store.Stats().Pool.Used > 0 {
			t.Error("the key ring is reloaded while a transaction is open")
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
