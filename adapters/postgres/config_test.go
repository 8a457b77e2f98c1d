package postgres_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/adapters/postgres"
)

// TestModesOfTheDriver verifies which values of default_query_exec_mode a URL may set.
func TestModesOfTheDriver(t *testing.T) {
	t.Parallel()
	const base = "postgres://localhost/lockbox"
	for mode, want := range map[string]pgx.QueryExecMode{
		"": pgx.QueryExecModeCacheStatement,
		"?default_query_exec_mode=cache_statement": pgx.QueryExecModeCacheStatement,
		"?default_query_exec_mode=cache_describe":  pgx.QueryExecModeCacheDescribe,
	} {
		config, err := postgres.ConnConfig(base + mode)
		require.NoError(t, err)
		assert.Equal(t, want, config.DefaultQueryExecMode, mode)
	}
	for _, mode := range []string{"describe_exec", "exec", "simple_protocol"} {
		_, err := postgres.ConnConfig(base + "?default_query_exec_mode=" + mode)
		assert.ErrorContains(t, err, "LOCKBOX_DB_POOLING=transaction", mode)
	}
}

// TestTimeToConnect verifies that the limit for one attempt to connect is lower if the URL names several hosts. A dead
// host must not delay the connection to the next host for long.
func TestTimeToConnect(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]time.Duration{
		"postgres://one/lockbox":                                5 * time.Second,
		"postgres://one/lockbox?sslmode=prefer":                 5 * time.Second, // a second attempt without TLS
		"postgres://one,two/lockbox?sslmode=disable":            2 * time.Second,
		"postgres://one:5432,one:5433/lockbox?sslmode=disable":  2 * time.Second,
		"postgres://one,two/lockbox?target_session_attrs=any":   2 * time.Second,
		"postgres://one,two,three/lockbox?connect_timeout=3600": 2 * time.Second,
	} {
		config, err := postgres.ConnConfig(url)
		require.NoError(t, err)
		assert.Equal(t, want, config.ConnectTimeout, url)
	}
}
