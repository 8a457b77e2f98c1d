package storage

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

func attemptCounters(f *fixture) {
	account := digest("account")
	first := ports.CounterKey{Key: digest("first"), Account: account}
	second := ports.CounterKey{Key: digest("second")}
	counts := []domain.Attempts{
		{
			Failures:     3,
			LastAt:       f.now,
			BlockedUntil: f.now.Add(time.Minute),
			Reported:     true,
		},
		{Failures: 1, LastAt: f.now},
	}
	lock := func(keys ...ports.CounterKey) ports.AttemptQuery { return ports.AttemptQuery{Counters: keys} }
	f.do(func(ctx context.Context, repos ports.Repos) error {
		locked, err := repos.Attempts.Lock(ctx, lock(first, second))
		require.NoError(f, err)
		require.Equal(f, []domain.Attempts{{}, {}}, locked.Counters, "a new counter is zero")
		require.NoError(f, repos.Attempts.Save(ctx, ports.CounterState{CounterKey: first, Attempts: counts[0]}))
		return repos.Attempts.Save(ctx, ports.CounterState{CounterKey: second, Attempts: counts[1]})
	})
	f.do(func(ctx context.Context, repos ports.Repos) error {
		locked, err := repos.Attempts.Lock(ctx, lock(second, first))
		require.Equal(f, []domain.Attempts{counts[1], counts[0]}, locked.Counters,
			"the counters are in the order of the keys in the query")
		return err
	})
	require.Equal(f, counts[0], f.peek(digest("first")))
	require.Zero(f, f.peek(digest("unknown")))
	require.NoError(f, f.Read().Attempts.Forget(f.Context(), account))
	require.Zero(f, f.peek(first.Key))
	require.Equal(f, counts[1], f.peek(second.Key), "it belongs to no account")
}

// peek returns the attempts that one counter has counted.
func (f *fixture) peek(key domain.Digest) domain.Attempts {
	f.Helper()
	found, err := f.Read().Attempts.Peek(f.Context(),
		ports.AttemptQuery{Counters: []ports.CounterKey{{Key: digest("another")}, {Key: key}}})
	require.NoError(f, err)
	require.False(f, found.Known)
	return found.Counters[1]
}

func attemptLockSerialises(f *fixture) {
	a, b := ports.CounterKey{Key: digest("a")}, ports.CounterKey{Key: digest("b")}
	order := make(chan []ports.CounterKey, 100)
	for range cap(order) / 2 {
		order <- []ports.CounterKey{a, b}
		order <- []ports.CounterKey{b, a} // must not deadlock
	}
	f.serialises(func(ctx context.Context, repos ports.Repos) error {
		_, err := repos.Attempts.Lock(ctx, ports.AttemptQuery{Counters: <-order})
		return err
	})
}

func knownAddresses(f *fixture) {
	attempts := f.Read().Attempts
	key := digest("address")
	knows := func(now time.Time) bool {
		query := ports.AttemptQuery{
			Counters:     []ports.CounterKey{{Key: digest("counter")}},
			KnownAddress: key,
			Now:          now,
		}
		peeked, err := attempts.Peek(f.Context(), query)
		require.NoError(f, err)
		f.do(func(ctx context.Context, repos ports.Repos) error {
			locked, err := repos.Attempts.Lock(ctx, query)
			require.Equal(f, peeked.Known, locked.Known)
			return err
		})
		return peeked.Known
	}
	require.False(f, knows(f.now))
	require.NoError(f, attempts.Remember(f.Context(), key, f.now.Add(time.Minute)))
	require.True(f, knows(f.now))
	require.False(f, knows(f.now.Add(time.Minute)))
	require.NoError(f, attempts.Remember(f.Context(), key, f.now.Add(time.Hour)))
	require.True(f, knows(f.now.Add(time.Minute)))
}
