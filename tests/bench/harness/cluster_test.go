package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWarmRate(t *testing.T) {
	t.Parallel()
	const out = `pgbench (15.18)
progress: 1.0 s, 800.0 tps, lat 0.232 ms stddev 0.146, 0 failed
progress: 2.0 s, 1000.0 tps, lat 0.232 ms stddev 0.146, 0 failed
scaling factor: 1
number of transactions actually processed: 2800
latency average = 0.2 ms
tps = 933.333333 (without initial connection time)
`
	rate, count := warmRate(out)
	require.InDelta(t, 1000, rate, .01)
	require.InDelta(t, 2800, count, 0)
	for _, other := range []string{"", "tps = 1\n", "progress: 1.0 s, 800.0 tps\n", out[:len(out)/2]} {
		rate, _ := warmRate(other)
		require.LessOrEqual(t, rate, 0.)
	}
}
