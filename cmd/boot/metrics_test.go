package boot

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/adapters/kdf"
	"github.com/lockbox-go/lockbox/adapters/postgres"
	"github.com/lockbox-go/lockbox/adapters/system"
	"github.com/lockbox-go/lockbox/tests/pgtest"
)

// TestMetrics reads all metrics once. Gather fails if their descriptions and samples do not match.
func TestMetrics(t *testing.T) {
	t.Parallel()
	store, err := postgres.Open(t.Context(), postgres.Config{URL: pgtest.Empty(t), Clock: system.Clock{}})
	require.NoError(t, err)
	defer store.Close()
	derivations := kdf.New(kdf.Config{})
	defer derivations.Close()
	registry := prometheus.NewRegistry()
	registerMetrics(registry, &core{store: store, derivations: derivations})
	families, err := registry.Gather()
	require.NoError(t, err)
	samples := make(map[string]int)
	for _, family := range families {
		if name := family.GetName(); strings.HasPrefix(name, "lockbox_") {
			samples[name] = len(family.GetMetric())
			require.True(t, strings.HasSuffix(family.GetHelp(), "."), name)
		}
	}
	require.Equal(t, map[string]int{
		"lockbox_build_info":                       1,
		"lockbox_db_batch_requests_refused_total":  2,
		"lockbox_db_batch_requests_total":          2,
		"lockbox_db_batch_requests_waiting":        2,
		"lockbox_db_batches_total":                 2,
		"lockbox_db_clock_skew_seconds":            1,
		"lockbox_db_connections_replaced_total":    1,
		"lockbox_db_writable":                      1,
		"lockbox_db_connection_wait_seconds_total": 1,
		"lockbox_db_connection_waits_total":        1,
		"lockbox_db_connections":                   2,
		"lockbox_db_connections_max":               1,
		"lockbox_db_connections_opened_total":      1,
		"lockbox_db_write_fallbacks_total":         1,
		"lockbox_events_commits_total":             1,
		"lockbox_events_deleted_total":             1,
		"lockbox_events_log_bytes":                 1,
		"lockbox_events_refused_total":             1,
		"lockbox_events_waiting":                   1,
		"lockbox_events_written_total":             1,
		"lockbox_kdf_done_total":                   2,
		"lockbox_kdf_refused_total":                2,
		"lockbox_kdf_running":                      1,
		"lockbox_kdf_waiting":                      2,
	}, samples)
}
