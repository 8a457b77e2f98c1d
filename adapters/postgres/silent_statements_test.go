//go:build e2e

package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/adapters/postgres"
	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
	"github.com/lockbox-go/lockbox/tests/pgtest"
)

// TestAStatementHasADeadline covers each kind of statement. It cuts the connection, and then runs a statement with a
// context that has no deadline.
func TestAStatementHasADeadline(t *testing.T) {
	t.Parallel()
	for name, request := range map[string]func(ctx context.Context, store *postgres.Store) error{
		"one row": func(ctx context.Context, store *postgres.Store) error {
			_, err := store.Read().System.Owner(ctx)
			return err
		},
		"several rows": func(ctx context.Context, store *postgres.Store) error {
			_, err := store.Read().Users.Names(ctx)
			return err
		},
		"a batch": func(ctx context.Context, store *postgres.Store) error {
			_, err := store.Read().Attempts.Lock(ctx, ports.AttemptQuery{
				Counters: []ports.CounterKey{{Key: domain.Digest{1}}},
			})
			return err
		},
		"a transaction": func(ctx context.Context, store *postgres.Store) error {
			return store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
				_, err := repos.System.Lock(ctx)
				return err
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			between := pgtest.NewProxy(t, pgtest.New(t))
			store := openStoreOn(t, between.URL, nil)
			store.LimitStatements(100 * time.Millisecond)
			require.NoError(t, request(t.Context(), store))
			between.LoseOpen()
			between.LoseNew(true)
			begin := time.Now()
			require.ErrorIs(t, request(context.WithoutCancel(t.Context()), store), domain.Unavailable)
			require.Less(t, time.Since(begin), 10*time.Second)
		})
	}
}
