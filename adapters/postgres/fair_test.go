package postgres

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestFairSlots verifies how many units of work of each origin run at the same time.
func TestFairSlots(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		total   int64
		origins map[string]int // units of work that want to run
		running map[string]int // units of work that run
	}{
		"one origin":               {8, map[string]int{"a": 50}, map[string]int{"a": 3}},
		"another one is not slow":  {8, map[string]int{"a": 50, "b": 2}, map[string]int{"a": 3, "b": 2}},
		"no origin has no share":   {8, map[string]int{"": 50}, map[string]int{"": 8}},
		"a small pool":             {1, map[string]int{"a": 5}, map[string]int{"a": 1}},
		"no pool is smaller":       {0, map[string]int{"a": 5}, map[string]int{"a": 1}},
		"all others use the total": {2, map[string]int{"a": 1, "b": 1}, map[string]int{"a": 1, "b": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				slots := newFairSlots(test.total)
				var mu sync.Mutex
				running := map[string]int{}
				var work sync.WaitGroup
				for origin, n := range test.origins {
					for range n {
						work.Go(func() {
							release, err := slots.acquire(t.Context(), origin)
							require.NoError(t, err)
							defer release()
							mu.Lock()
							running[origin]++
							mu.Unlock()
							time.Sleep(time.Second) // of the clock of synctest
							mu.Lock()
							running[origin]--
							mu.Unlock()
						})
					}
				}
				synctest.Wait()
				mu.Lock()
				require.Equal(t, test.running, running)
				mu.Unlock()
				work.Wait()
				require.Empty(t, slots.origins, "origins without work are forgotten")
			})
		})
	}
}

// TestFairSlotsOfACancelledRequest verifies that a request that is cancelled while it waits occupies no slot
// afterwards. The request waits for a slot of its origin or for a slot that all origins share.
func TestFairSlotsOfACancelledRequest(t *testing.T) {
	t.Parallel()
	for _, other := range []string{"a", "b"} { // "a" waits for its own slot, "b" for the total
		slots := newFairSlots(1)
		release, err := slots.acquire(t.Context(), "a")
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		_, err = slots.acquire(ctx, other)
		cancel()
		require.ErrorIs(t, err, context.DeadlineExceeded)
		release()
		release, err = slots.acquire(t.Context(), other)
		require.NoError(t, err)
		release()
		require.Empty(t, slots.origins)
	}
}
