package postgres_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/adapters/postgres"
	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
	"github.com/lockbox-go/lockbox/tests/pgtest"
)

// openAll makes a store open all its connections, and then waits. After this wait, the driver checks each connection
// before its next use.
func openAll(t *testing.T, store *postgres.Store) {
	t.Helper()
	var conns []interface{ Release() }
	for range store.Stats().Pool.Max {
		conn, err := store.Pool().Acquire(t.Context())
		require.NoError(t, err)
		conns = append(conns, conn)
	}
	for _, conn := range conns {
		conn.Release()
	}
	time.Sleep(1100 * time.Millisecond) // the driver checks connections that were idle for longer than a second
}

// TestLostConnectionsAreReplaced cuts all open connections of a store. New connections still work. A request must not
// wait until the driver has checked every lost connection.
func TestLostConnectionsAreReplaced(t *testing.T) {
	t.Parallel()
	between := pgtest.NewProxy(t, pgtest.New(t))
	store := openStoreOn(t, between.URL, nil)
	openAll(t, store)
	between.LoseOpen()
	var group sync.WaitGroup
	begin := time.Now()
	for range 3 {
		group.Go(func() {
			_, err := store.Read().System.Owner(t.Context())
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	require.Less(t, time.Since(begin), 8*time.Second, "ten checks in a row would take 30 seconds")
	require.Positive(t, store.Stats().Pool.Replaced)
	begin = time.Now()
	require.NoError(t, store.Do(t.Context(), func(ctx context.Context, repos ports.Repos) error {
		_, err := repos.System.Lock(ctx)
		return err
	}))
	require.Less(t, time.Since(begin), time.Second, "the other connections were replaced too")
}

// TestCloseDoesNotWaitForALostConnection closes a store while a statement waits on a lost connection. The statement has
// a time limit of ten minutes.
func TestCloseDoesNotWaitForALostConnection(t *testing.T) {
	t.Parallel()
	between := pgtest.NewProxy(t, pgtest.New(t))
	store, err := postgres.Open(t.Context(), postgres.Config{URL: between.URL, Clock: clock{}, Patient: true})
	require.NoError(t, err)
	between.LoseOpen()
	between.LoseNew(true)
	failed := make(chan error, 1)
	go func() {
		_, err := store.Read().System.Owner(context.WithoutCancel(t.Context()))
		failed <- err
	}()
	require.Eventually(t, func() bool { return store.Stats().Pool.Used == 1 }, 5*time.Second, time.Millisecond)
	begin := time.Now()
	store.CloseWithin(50 * time.Millisecond)
	store.Close()
	require.Less(t, time.Since(begin), 5*time.Second)
	require.Error(t, <-failed)
}

// TestRollbackOfALostConnection cuts the connection of a transaction, and then waits for the deadline of the request.
// After the deadline, the rollback must end within rollbackTime.
func TestRollbackOfALostConnection(t *testing.T) {
	t.Parallel()
	between := pgtest.NewProxy(t, pgtest.New(t))
	store := openStoreOn(t, between.URL, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	var begin time.Time
	require.ErrorIs(t, store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		if _, err := repos.System.Lock(ctx); err != nil {
			return err
		}
		between.LoseOpen()
		between.LoseNew(true)
		<-ctx.Done()
		begin = time.Now()
		return domain.ErrBusy
	}), domain.ErrBusy)
	require.Less(t, time.Since(begin), 4*time.Second, "half a second for the rollback, two for the dead connection")
}
