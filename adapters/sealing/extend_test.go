package sealing

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/ports"
)

// TestExtend checks that a cipher derives a key only once for each set of parameters, and opens every envelope that was
// passed to Extend.
func TestExtend(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	old := r.sealerWith(t, ports.Argon2Params{MemoryKiB: 16, Time: 1, Threads: 1})
	for name, key := range bothKinds(t) {
		before, err := old.Prepare(t.Context(), key, boxSalt)
		require.NoError(t, err)
		sealed, err := before.Seal(place, value)
		require.NoError(t, err)
		at := ports.Sealed{Place: place, Envelope: sealed.Envelope}

		r.argon.times.Store(0)
		c := r.prepare(t, key)
		for range 3 {
			require.NoError(t, c.Extend(t.Context(), key, at, at))
		}
		require.Equal(t, map[string]int32{"generated": 0, "passphrase": 2}[name], r.argon.times.Load(), name)
		opened, err := c.Open(place, sealed)
		require.NoError(t, err)
		require.Equal(t, value, opened)
		_, err = c.Seal(place, value)
		require.NoError(t, err)

		sealed.Envelope[len(sealed.Envelope)-1] ^= 1
		require.True(t, ports.IsTampered(c.Extend(t.Context(), key, at)))
	}
}
