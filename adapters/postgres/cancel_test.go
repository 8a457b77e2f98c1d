package postgres_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/adapters/postgres"
	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/tests/pgtest"
)

// startedSessions returns the number of database sessions that the store has started.
func startedSessions(store *postgres.Store) int64 { return store.Stats().Pool.Opened }

// TestShortStatementsSurviveACancellation cancels contexts while short statements run.
func TestShortStatementsSurviveACancellation(t *testing.T) {
	t.Parallel()
	store, url := openStore(t, nil)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for n := range 50 {
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(time.Duration(n%10)*100*time.Microsecond, cancel)
				_, _ = store.Read().System.Owner(ctx)
				cancel()
			}
		})
	}
	group.Wait()
	requireNoOpenTransaction(t, store, url)
	// A request may be cancelled while its connection is still being opened. The pool keeps such a connection, which
	// becomes idle as soon as it is open.
	require.Eventually(t, func() bool {
		pool := store.Stats().Pool
		return pool.Opened == int64(pool.Idle)
	}, 10*time.Second, 10*time.Millisecond, "no connection was closed")
}

// TestALateCancelRequestHitsNoOtherStatement cancels statements that end at about the time at which the store sends the
// cancel request. The cancel request must not cancel the next statement on the connection.
func TestALateCancelRequestHitsNoOtherStatement(t *testing.T) {
	t.Parallel()
	store, _ := openStore(t, nil)
	var group sync.WaitGroup
	var cancelled atomic.Int64
	for worker := range 8 {
		group.Go(func() {
			conn, err := store.Pool().Acquire(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Release()
			for n := range 4 {
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(20*time.Millisecond, cancel)
				sleep := postgres.CancelDelay + time.Duration(18+worker+n)*time.Millisecond
				if _, err := conn.Exec(ctx, `SELECT pg_sleep($1)`, sleep.Seconds()); err != nil {
					cancelled.Add(1)
				}
				cancel()
				if _, err := conn.Exec(t.Context(), `SELECT pg_sleep(0.05)`); err != nil {
					t.Errorf("the next statement was cancelled: %v", err)
				}
			}
		})
	}
	group.Wait()
	require.NotZero(t, cancelled.Load(), "no cancel request was sent")
	require.LessOrEqual(t, startedSessions(store), int64(8+1))
}

// TestACancelledRequestEndsWithoutTheDatabase cancels a statement while no new connection can reach the database.
func TestACancelledRequestEndsWithoutTheDatabase(t *testing.T) {
	t.Parallel()
	address := pgtest.New(t)
	between := pgtest.NewProxy(t, address)
	store := openStoreOn(t, between.URL, nil)
	release := hold(t, address, `UPDATE system SET revision = 7`)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	between.LoseNew(true) // the cancel request does not arrive
	_, err := store.Read().System.Lock(ctx)
	require.ErrorIs(t, err, domain.Unavailable)
	between.LoseNew(false)
	release()
	_, err = store.Read().System.Lock(t.Context())
	require.NoError(t, err)
}
