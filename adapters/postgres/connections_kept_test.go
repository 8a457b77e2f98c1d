//go:build e2e

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
)

// TestCancelledRequestsKeepTheirConnections cancels requests that wait for a lock. It covers each way in which a store
// runs statements. The store may fill its pool, but must not open a new connection because of a cancelled request.
func TestCancelledRequestsKeepTheirConnections(t *testing.T) {
	t.Parallel()
	credential := domain.Credential{Kind: domain.SessionCredential, ID: domain.CredentialID{1}}
	for name, test := range map[string]struct {
		lock    string
		request func(ctx context.Context, store *postgres.Store) error
	}{
		"a statement": {`UPDATE system SET revision = 7`, func(ctx context.Context, store *postgres.Store) error {
			_, err := store.Read().System.Lock(ctx)
			return err
		}},
		"a transaction": {`UPDATE system SET revision = 7`, func(ctx context.Context, store *postgres.Store) error {
			return store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
				_, err := repos.System.Lock(ctx)
				return err
			})
		}},
		"a batch": {`LOCK TABLE throttle`, func(ctx context.Context, store *postgres.Store) error {
			_, err := store.Read().Attempts.Lock(ctx, ports.AttemptQuery{
				Counters: []ports.CounterKey{{Key: domain.Digest{1}}},
			})
			return err
		}},
		"a lookup": {`LOCK TABLE entry_versions`, func(ctx context.Context, store *postgres.Store) error {
			_, err := store.LookUp(ctx, credential, "box", "key", 0)
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, url := openStore(t, nil)
			release := hold(t, url, test.lock)
			var group sync.WaitGroup
			for range 8 {
				group.Go(func() {
					for range 5 {
						ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
						if err := test.request(ctx, store); err == nil {
							t.Error("the request did not wait for the lock")
						}
						cancel()
					}
				})
			}
			group.Wait()
			release()
			requireNoOpenTransaction(t, store, url)
			pool := store.Stats().Pool
			require.LessOrEqual(t, pool.Opened, int64(pool.Max))
			require.Equal(t, pool.Opened, int64(pool.Idle), "no connection was closed")
		})
	}
}
