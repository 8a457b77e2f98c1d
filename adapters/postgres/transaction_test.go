package postgres_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
	"github.com/lockbox-go/lockbox/tests/pgtest"
)

// The tests in this file verify that deferred statements have the same effect as statements that run immediately.

func TestAFailureOfADeferredStatementRollsBack(t *testing.T) {
	t.Parallel()
	store, url := openStore(t, nil)
	twice := event(t, "twice")
	require.NoError(t, store.Do(t.Context(), func(ctx context.Context, repos ports.Repos) error {
		return repos.Events.Append(ctx, twice)
	}))
	err := store.Do(t.Context(), func(ctx context.Context, repos ports.Repos) error {
		require.NoError(t, repos.Events.Append(ctx, event(t, "lost")))
		return repos.Events.Append(ctx, twice) // the commit fails, because the identifier is taken
	})
	require.Error(t, err)
	require.NotErrorIs(t, err, domain.Unavailable, "the server reported the outcome")
	requireNoOpenTransaction(t, store, url)
	require.Equal(t, []string{"twice"}, pgtest.Column(t, url, `SELECT target FROM events`))
	require.NoError(t, store.Do(t.Context(), func(ctx context.Context, repos ports.Repos) error {
		return repos.Events.Append(ctx, event(t, "after"))
	}), "the connection still works")
}

func TestAnEmptyUnitOfWork(t *testing.T) {
	t.Parallel()
	store, url := openStore(t, nil)
	require.NoError(t, store.Do(t.Context(), func(context.Context, ports.Repos) error { return nil }))
	refusal := errors.New("no")
	require.ErrorIs(t, store.Do(t.Context(), func(context.Context, ports.Repos) error { return refusal }), refusal)
	requireNoOpenTransaction(t, store, url)
}

func TestAFailureOfTheFirstStatementLeavesNoTransaction(t *testing.T) {
	t.Parallel()
	store, url := openStore(t, nil)
	err := store.Do(t.Context(), func(ctx context.Context, repos ports.Repos) error {
		// The INSERT fails, because the owner of the box does not exist.
		return repos.Boxes.Add(ctx, domain.Box{ID: newID(t), Name: "orphan", Owner: newID(t)})
	})
	require.Error(t, err)
	requireNoOpenTransaction(t, store, url)
}
