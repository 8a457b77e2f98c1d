package boot

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/adapters/auditstream"
	"github.com/lockbox-go/lockbox/adapters/kdf"
	"github.com/lockbox-go/lockbox/adapters/postgres"
	"github.com/lockbox-go/lockbox/adapters/sealing"
	"github.com/lockbox-go/lockbox/adapters/system"
	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/tests/pgtest"
)

// TestMetrics reads all metrics once. Gather returns an error if a sample does not match the description of its metric.
func TestMetrics(t *testing.T) {
	t.Parallel()
	secret, err := sealing.ParseSecret("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8")
	require.NoError(t, err)
	served := &core{config: Config{SecretKey: secret}, sweeps: newSweepMetrics(Config{EventRetention: 1})}
	served.store, err = postgres.Open(t.Context(), postgres.Config{URL: pgtest.New(t), Clock: system.Clock{}})
	require.NoError(t, err)
	defer served.store.Close()
	served.keyring, err = openKeyring(t.Context(), served)
	require.NoError(t, err)
	served.derivations = kdf.New(kdf.Config{})
	defer served.derivations.Close()
	served.stream = auditstream.New(auditstream.Config{})
	registry := prometheus.NewRegistry()
	registerMetrics(registry, served)
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
		"lockbox_audit_events_total":                   len(domain.Actions()) * len(domain.Outcomes()),
		"lockbox_audit_stream_events_total":            1,
		"lockbox_audit_stream_failures_total":          1,
		"lockbox_audit_stream_holder":                  1,
		"lockbox_audit_stream_lag_seconds":             1,
		"lockbox_build_info":                           1,
		"lockbox_db_batch_requests_refused_total":      2,
		"lockbox_db_batch_requests_total":              2,
		"lockbox_db_batch_requests_waiting":            2,
		"lockbox_db_batches_total":                     2,
		"lockbox_db_clock_skew_seconds":                1,
		"lockbox_db_connection_wait_seconds_total":     1,
		"lockbox_db_connection_waits_total":            1,
		"lockbox_db_connections":                       2,
		"lockbox_db_connections_max":                   1,
		"lockbox_db_connections_opened_total":          1,
		"lockbox_db_connections_replaced_total":        1,
		"lockbox_db_writable":                          1,
		"lockbox_db_write_fallbacks_total":             1,
		"lockbox_events_commits_total":                 1,
		"lockbox_events_deleted_total":                 1,
		"lockbox_events_log_bytes":                     1,
		"lockbox_events_refused_total":                 1,
		"lockbox_events_waiting":                       1,
		"lockbox_events_written_total":                 1,
		"lockbox_kdf_done_total":                       2,
		"lockbox_kdf_refused_total":                    2,
		"lockbox_kdf_running":                          1,
		"lockbox_kdf_waiting":                          2,
		"lockbox_server_key_created_timestamp_seconds": 6,
		"lockbox_sweep_deleted_total":                  10,
		"lockbox_sweep_failures_total":                 10,
		"lockbox_sweep_last_success_timestamp_seconds": 1,
	}, samples)
}
