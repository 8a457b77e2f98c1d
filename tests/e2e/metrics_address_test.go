package e2e

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/tests/live"
	"github.com/lockbox-go/lockbox/tests/pgtest"
)

// TestMetricsAddress verifies that LOCKBOX_METRICS_ADDR moves /metrics from the port of the API to another address, and
// that this address serves nothing else.
func TestMetricsAddress(t *testing.T) {
	t.Parallel()
	running := live.StartOn(t, pgtest.New(t), "METRICS_ADDR=127.0.0.1:0")
	s := &server{t: t, url: running.URL}
	s.as("").do("GET", "/metrics", nil).refuses(404, "route_not_found")
	s.as("").do("GET", "/readyz", nil).expect(200)
	for request, want := range map[string]int{
		"GET /metrics": 200, "HEAD /metrics": 200, "POST /metrics": 405, "GET /metrics/": 404, "GET /": 404,
		"GET /readyz": 404, "POST /init": 404, "GET /boxes": 404, "OPTIONS /metrics": 405,
	} {
		method, path, _ := strings.Cut(request, " ")
		sent, err := http.NewRequestWithContext(t.Context(), method, running.MetricsURL+path, http.NoBody)
		require.NoError(t, err)
		got, err := http.DefaultClient.Do(sent)
		require.NoError(t, err)
		body, err := io.ReadAll(got.Body)
		require.NoError(t, err)
		require.NoError(t, got.Body.Close())
		require.Equal(t, want, got.StatusCode, request)
		require.Equal(t, request == "GET /metrics", strings.Contains(string(body), "lockbox_build_info"), request)
	}
}
