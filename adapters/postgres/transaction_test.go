package postgres_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// What is sent with the commit must behave as if it had been sent at once.

func TestWhatWaitsForTheCommitIsSeenByTheNextStatement(t *testing.T) {
	t.Parallel()
	store, url := openStore(t, nil)
	require.NoError(t, store.Do(t.Context(), func(ctx context.Context, repos ports.Repos) error {
		for _, target := range []string{"first", "second"} {
			require.NoError(t, repos.Events.Append(ctx, event(t, target)))
		}
		seen, err := repos.Events.List(ctx, ports.EventFilter{Limit: 10})
		require.Len(t, seen, 2)
		return err
	}))
	require.Equal(t, []string{"first", "second"}, rows(t, url, `SELECT target FROM events ORDER BY id`))
}

func TestAFailureOfWhatWaitsForTheCommitKeepsNothing(t *testing.T) {
	t.Parallel()
	store, url := openStore(t, nil)
	twice := event(t, "twice")
	require.NoError(t, store.Do(t.Context(), func(ctx context.Context, repos ports.Repos) error {
		return repos.Events.Append(ctx, twice)
	}))
	err := store.Do(t.Context(), func(ctx context.Context, repos ports.Repos) error {
		require.NoError(t, repos.Events.Append(ctx, event(t, "lost")))
		return repos.Events.Append(ctx, twice) // its id is taken, which the commit finds out
	})
	require.Error(t, err)
	require.NotErrorIs(t, err, domain.Unavailable, "the server said what became of it")
	requireNoOpenTransaction(t, store, url)
	require.Equal(t, []string{"twice"}, rows(t, url, `SELECT target FROM events`))
	require.NoError(t, store.Do(t.Context(), func(ctx context.Context, repos ports.Repos) error {
		return repos.Events.Append(ctx, event(t, "after"))
	}), "the connection is good again")
}

func TestAUnitOfWorkThatDoesNothing(t *testing.T) {
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
		return repos.Boxes.Add(ctx, domain.Box{ID: newID(t), Name: "orphan", Owner: newID(t)}) // there is no such owner
	})
	require.Error(t, err)
	requireNoOpenTransaction(t, store, url)
}
