package httpapi

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
)

// TestSharesBoundKeysAndTotal verifies both bounds without waiting.
func TestSharesBoundKeysAndTotal(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		held   map[string]int64
		key    string
		amount int64
		kind   domain.Kind // the zero kind for success
	}{
		"nothing held":            {nil, "a", 4, domain.Kind(0)},
		"within the share":        {map[string]int64{"a": 3}, "a", 1, domain.Kind(0)},
		"over the share":          {map[string]int64{"a": 3}, "a", 2, domain.RateLimited},
		"the share of others":     {map[string]int64{"a": 4}, "b", 4, domain.Kind(0)},
		"over the total":          {map[string]int64{"a": 4, "b": 4}, "c", 3, domain.Unavailable},
		"up to the total":         {map[string]int64{"a": 4, "b": 4}, "c", 2, domain.Kind(0)},
		"no key, over a share":    {map[string]int64{"": 4}, "", 4, domain.Kind(0)},
		"no key, over the total":  {map[string]int64{"": 4, "a": 4}, "", 3, domain.Unavailable},
		"more than a whole share": {nil, "a", 100, domain.Kind(0)},
		"more, while in use":      {map[string]int64{"a": 1}, "a", 100, domain.RateLimited},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShares(10, 4, 0)
			for key, amount := range test.held {
				require.NoError(t, s.acquire(t.Context(), key, amount))
			}
			err := s.acquire(t.Context(), test.key, test.amount)
			require.Equal(t, test.kind, domain.KindOf(err), "%v", err)
			if err == nil {
				s.release(test.key, test.amount)
			}
			for key, amount := range test.held {
				s.release(key, amount)
			}
			require.Zero(t, s.stats().used)
			require.Empty(t, s.byKey, "keys that use nothing are forgotten")
		})
	}
}

// TestSharesWait verifies that a request waits for its share up to the time limit, and that only requests of the same
// key delay it.
func TestSharesWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShares(4, 2, time.Second)
		require.NoError(t, s.acquire(t.Context(), "a", 2))
		var waiting sync.WaitGroup
		var second, third error
		waiting.Go(func() { second = s.acquire(t.Context(), "a", 1) })
		synctest.Wait()
		waiting.Go(func() { third = s.acquire(t.Context(), "a", 2) })
		synctest.Wait()
		require.NoError(t, s.acquire(t.Context(), "b", 2), "another key does not wait")
		time.Sleep(500 * time.Millisecond) // of the clock of synctest
		s.release("a", 2)
		waiting.Wait()
		require.NoError(t, second, "it gets the share that was returned")
		require.Equal(t, domain.RateLimited, domain.KindOf(third), "it waited for a second")
		require.Equal(t, codeTooManyRequests, domain.CodeOf(third))
		require.Equal(t, uint64(1), s.stats().refusedKey)
		require.Equal(t, int64(3), s.stats().used)
	})
}

// TestSharesAreGivenInOrder verifies that a small request cannot overtake a large request that waits because total is
// used up.
func TestSharesAreGivenInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShares(4, 4, time.Minute)
		require.NoError(t, s.acquire(t.Context(), "a", 3))
		var order []string
		var waiting sync.WaitGroup
		for _, each := range []struct {
			key    string
			amount int64
		}{{"large", 4}, {"small", 1}} {
			waiting.Go(func() {
				require.NoError(t, s.acquire(t.Context(), each.key, each.amount))
				order = append(order, each.key)
				s.release(each.key, each.amount)
			})
			synctest.Wait()
		}
		require.Empty(t, order)
		s.release("a", 3)
		waiting.Wait()
		require.Equal(t, []string{"large", "small"}, order)
	})
}

// TestSharesBoundWhatWaits verifies that the amounts of waiting requests are also bounded if holdsWhileWaiting is true.
func TestSharesBoundWhatWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShares(8, 2, time.Second)
		s.holdsWhileWaiting = true
		require.NoError(t, s.acquire(t.Context(), "a", 2))
		var waiting sync.WaitGroup
		waiting.Go(func() { _ = s.acquire(t.Context(), "a", 2) })
		synctest.Wait()
		begin := time.Now()
		require.Equal(t, domain.RateLimited, domain.KindOf(s.acquire(t.Context(), "a", 1)))
		require.Zero(t, time.Since(begin), "it is refused immediately")
		waiting.Wait()
	})
}

// TestSharesOfADisconnectedClient verifies that a waiting request ends when its context ends, and that the queue and
// the map of keys are then empty.
func TestSharesOfADisconnectedClient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShares(1, 1, time.Hour)
		require.NoError(t, s.acquire(t.Context(), "a", 1))
		ctx, cancel := context.WithCancel(t.Context())
		var waiting sync.WaitGroup
		waiting.Go(func() { require.Equal(t, codeClientClosed, domain.CodeOf(s.acquire(ctx, "a", 1))) })
		synctest.Wait()
		cancel()
		waiting.Wait()
		s.release("a", 1)
		require.Empty(t, s.byKey)
		require.Empty(t, s.queue)
	})
}
