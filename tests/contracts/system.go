package contracts

import (
	"bytes"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/ports"
)

// Clock is the suite of ports.Clock.
func Clock(t *testing.T, clock ports.Clock) {
	t.Helper()
	before := clock.Now()
	require.Equal(t, time.UTC, before.Location())
	require.Zero(t, before.Nanosecond()%1000, "a time equals itself after it was stored and read")
	require.NotContains(t, before.String(), "m=", "a monotonic reading would make equal times differ")
	require.False(t, clock.Now().Before(before))
}

// IDs is the suite of ports.IDs.
func IDs(t *testing.T, ids ports.IDs) {
	t.Helper()
	const each, goroutines = 1000, 4
	var (
		mu   sync.Mutex
		seen = make(map[[16]byte]bool)
		done sync.WaitGroup
	)
	for range goroutines {
		done.Go(func() {
			mine := make([][16]byte, each)
			for i := range mine {
				mine[i] = ids.New()
			}
			mu.Lock()
			defer mu.Unlock()
			for _, id := range mine {
				seen[id] = true
			}
		})
	}
	done.Wait()
	require.Len(t, seen, each*goroutines, "identifiers are unique")

	var last [16]byte
	for range each {
		id := ids.New()
		require.Equal(t, byte(7), id[6]>>4, "the version (RFC 9562, section 5.7)")
		require.Equal(t, byte(0b10), id[8]>>6, "the variant (RFC 9562, section 4.1)")
		require.Positive(t, bytes.Compare(id[:], last[:]), "identifiers sort in the order of their creation")
		last = id
	}
	var milliseconds int64
	for _, digit := range last[:6] {
		milliseconds = milliseconds<<8 | int64(digit)
	}
	require.WithinDuration(t, time.Now(), time.UnixMilli(milliseconds), time.Minute)
}
