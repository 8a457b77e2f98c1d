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
	f.do(func(ctx context.Context, repos ports.Repos) error {
		locked, err := repos.Attempts.Lock(ctx, first, second)
		require.NoError(f, err)
		require.Equal(f, []domain.Attempts{{}, {}}, locked, "a new counter is zero")
		require.NoError(f, repos.Attempts.Save(ctx, first.Key, counts[0]))
		return repos.Attempts.Save(ctx, second.Key, counts[1])
	})
	f.do(func(ctx context.Context, repos ports.Repos) error {
		locked, err := repos.Attempts.Lock(ctx, second, first)
		require.Equal(f, []domain.Attempts{counts[1], counts[0]}, locked, "in the order of the arguments")
		return err
	})
	peek := func(key domain.Digest) domain.Attempts {
		found, err := f.Read().Attempts.Peek(f.Context(), key)
		require.NoError(f, err)
		return found
	}
	require.Equal(f, counts[0], peek(first.Key))
	require.Zero(f, peek(digest("unknown")))
	require.NoError(f, f.Read().Attempts.Forget(f.Context(), account))
	require.Zero(f, peek(first.Key))
	require.Equal(f, counts[1], peek(second.Key), "it belongs to no account")
}

func attemptLockSerialises(f *fixture) {
	a, b := ports.CounterKey{Key: digest("a")}, ports.CounterKey{Key: digest("b")}
	order := make(chan []ports.CounterKey, 100)
	for range cap(order) / 2 {
		order <- []ports.CounterKey{a, b}
		order <- []ports.CounterKey{b, a} // must not deadlock
	}
	f.serialises(func(ctx context.Context, repos ports.Repos) error {
		_, err := repos.Attempts.Lock(ctx, <-order...)
		return err
	})
}

func knownAddresses(f *fixture) {
	attempts := f.Read().Attempts
	key := digest("address")
	knows := func(now time.Time) bool {
		known, err := attempts.Knows(f.Context(), key, now)
		require.NoError(f, err)
		return known
	}
	require.False(f, knows(f.now))
	require.NoError(f, attempts.Remember(f.Context(), key, f.now.Add(time.Minute)))
	require.True(f, knows(f.now))
	require.False(f, knows(f.now.Add(time.Minute)))
	require.NoError(f, attempts.Remember(f.Context(), key, f.now.Add(time.Hour)))
	require.True(f, knows(f.now.Add(time.Minute)))
}
