package storage

import (
	"context"
	"errors"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

func commitAndRollback(f *fixture) {
	f.do(func(ctx context.Context, repos ports.Repos) error {
		for _, target := range []string{"first", "second"} {
			require.NoError(f, repos.Events.Append(ctx, f.event(target)))
		}
		seen, err := repos.Events.List(ctx, ports.EventFilter{Limit: 10})
		require.Len(f, seen.Events, 2, "a transaction sees its own changes")
		return err
	})
	refusal := domain.Refuse(domain.NotFound, "test", "no such thing")
	for _, failure := range []error{refusal, errRollback} {
		require.ErrorIs(f, f.Do(f.Context(), func(ctx context.Context, repos ports.Repos) error {
			require.NoError(f, repos.Events.Append(ctx, f.event("refused")))
			return failure
		}), failure, "the error of the function is returned")
	}
	require.Equal(f, []string{"first", "second"}, f.targets())
	f.do(func(context.Context, ports.Repos) error { return nil })
}

func panicRollsBack(f *fixture) {
	require.PanicsWithValue(f, "a mistake", func() {
		_ = f.Do(f.Context(), func(ctx context.Context, repos ports.Repos) error {
			require.NoError(f, repos.Events.Append(ctx, f.event("panicked")))
			panic("a mistake")
		})
	})
	require.Empty(f, f.targets())
	f.do(func(ctx context.Context, repos ports.Repos) error { return repos.Events.Append(ctx, f.event("after")) })
	require.Equal(f, []string{"after"}, f.targets())
}

func uncommittedChangesAreInvisible(f *fixture) {
	f.do(func(ctx context.Context, repos ports.Repos) error {
		require.NoError(f, repos.Events.Append(ctx, f.event("pending")))
		_, err := repos.Events.List(ctx, ports.EventFilter{Limit: 10})
		require.NoError(f, err)
		require.Empty(f, f.targets(), "outside the transaction")
		return nil
	})
	require.Equal(f, []string{"pending"}, f.targets())
}

// aCommitOutlivesItsRequest verifies that a commit completes if the client disconnects after the last statement. The
// change must not be rolled back. The commit must also wait for a synchronous standby, as other commits do.
func aCommitOutlivesItsRequest(f *fixture) {
	ctx, cancel := context.WithCancel(f.Context())
	require.NoError(f, f.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		defer cancel()
		return repos.Events.Append(ctx, f.event("kept"))
	}))
	require.Equal(f, []string{"kept"}, f.targets())
	require.Error(f, f.Do(ctx, func(context.Context, ports.Repos) error { return nil }), "no transaction begins")
}

func nestedIsRefused(f *fixture) {
	err := f.Do(f.Context(), func(ctx context.Context, repos ports.Repos) error {
		require.NoError(f, repos.Events.Append(ctx, f.event("outer")))
		return f.Do(ctx, func(context.Context, ports.Repos) error {
			f.Error("the inner one ran")
			return nil
		})
	})
	require.ErrorContains(f, err, "must not start another unit of work")
	require.Zero(f, domain.KindOf(err), "the error reports a programming error and is no refusal")
	require.Empty(f, f.targets())
}

func conflictsAreRetried(f *fixture) {
	require.NotEmpty(f, f.Conflicts)
	for _, conflict := range f.Conflicts {
		before, runs := len(f.targets()), 0
		f.do(func(ctx context.Context, repos ports.Repos) error {
			require.NoError(f, repos.Events.Append(ctx, f.event("once")))
			if runs++; runs < 3 {
				return conflict
			}
			return nil
		})
		require.Equal(f, 3, runs)
		require.Len(f, f.targets(), before+1)

		runs = 0
		err := f.Do(f.Context(), func(context.Context, ports.Repos) error {
			runs++
			return conflict
		})
		require.ErrorIs(f, err, domain.Unavailable)
		require.Equal(f, 3, runs)
	}
	runs := 0
	require.ErrorIs(f, f.Do(f.Context(), func(context.Context, ports.Repos) error {
		runs++
		return errRollback
	}), errRollback)
	require.Equal(f, 1, runs, "no other error is retried")
}

func startsOver(f *fixture) {
	runs := 0
	f.do(func(ctx context.Context, repos ports.Repos) error {
		require.NoError(f, repos.Events.Append(ctx, f.event("once")))
		if runs++; runs < 6 {
			return ports.ErrStartOver
		}
		return nil
	})
	require.Len(f, f.targets(), 1)
	runs = 0
	require.ErrorIs(f, f.Do(f.Context(), func(context.Context, ports.Repos) error {
		runs++
		return ports.ErrStartOver
	}), domain.Unavailable)
	require.Equal(f, 10, runs, "the retries are bounded")
}

func staleServerKey(f *fixture) {
	runs := 0
	f.do(func(context.Context, ports.Repos) error {
		if runs++; runs == 1 {
			return ports.ErrStaleServerKey
		}
		return nil
	})
	require.Equal(f, 1, f.reloads)
	stale := func(context.Context, ports.Repos) error {
		runs++
		return ports.ErrStaleServerKey
	}
	runs = 0
	require.ErrorIs(f, f.Do(f.Context(), stale), ports.ErrStaleServerKey)
	require.Equal(f, 3, runs)
	f.reloadErr = errors.New("no key ring")
	require.ErrorIs(f, f.Do(f.Context(), stale), f.reloadErr)
}
