package kdf

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/ports"
)

func TestMemoryGoesBackOnceWhenIdle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var times atomic.Int32
		pool := slow(Config{Cores: 1})
		pool.freeMemory = func() { times.Add(1) }
		derive := func() {
			_, err := pool.Derive(t.Context(), ports.EntryWork, nil, nil, cheap)
			require.NoError(t, err)
		}
		idle := func(d time.Duration) { time.Sleep(d); synctest.Wait() }

		idle(time.Minute)
		require.Zero(t, times.Load(), "nothing has run yet")
		derive()
		idle(9 * time.Second)
		derive()
		idle(9 * time.Second)
		require.Zero(t, times.Load(), "it was never idle for ten seconds")
		idle(2 * time.Second)
		require.Equal(t, int32(1), times.Load())
		idle(time.Hour)
		require.Equal(t, int32(1), times.Load(), "once is enough")
		derive()
		idle(11 * time.Second)
		require.Equal(t, int32(2), times.Load())
		derive()
		pool.Close()
		idle(time.Hour)
		derive()
		idle(time.Hour)
		require.Equal(t, int32(2), times.Load(), "a closed pool has no timer")
		pool.Close()
	})
}
