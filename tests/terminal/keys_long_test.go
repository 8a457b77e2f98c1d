//go:build unix && e2e

package terminal

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestRekeyOfTenThousandEntries re-encrypts a box of 10,000 entries in a run that is killed five times.
func TestRekeyOfTenThousandEntries(t *testing.T) {
	t.Parallel()
	const entries = 10_000
	h, proxy := boxOf(t, entries)
	begun := time.Now()
	h.killRewrites(proxy, 5, entries/6)
	out := h.must("box", "rekey", "prod", "--rewrite", "-o", "json")
	t.Logf("re-encrypted %d entries in %s, killed five times", entries, time.Since(begun).Round(time.Millisecond))
	require.Contains(t, out, `"keyChanged": false`)
	current, other := h.underKey()
	require.Equal(t, entries, current)
	require.Zero(t, other)
	for _, name := range []string{"entry00000", "entry05000", "entry09999"} {
		first := h.must("get", "prod/e/"+name, "--raw", "--version", "1")
		require.Equal(t, first, h.must("get", "prod/e/"+name, "--raw"))
	}
}
