package tracing_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/lockbox-go/lockbox/adapters/tracing"
)

// open returns a provider whose collector is a handler.
func open(t *testing.T, log io.Writer, ratio float64, handle http.HandlerFunc) *tracing.Provider {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	address, err := url.Parse(server.URL + "/v1/traces")
	require.NoError(t, err)
	provider, err := tracing.New(t.Context(), tracing.Config{
		Collector: address,
		Ratio:     ratio,
		Version:   "test",
		Log:       slog.New(slog.NewTextHandler(log, nil)),
	})
	require.NoError(t, err)
	return provider
}

// spans makes spans and returns how long that took.
func spans(t *testing.T, tracer trace.Tracer, count int) time.Duration {
	t.Helper()
	begin := time.Now()
	for range count {
		_, span := tracer.Start(t.Context(), "span")
		span.End()
	}
	return time.Since(begin)
}

// TestQueueIsBounded makes more spans than the queue holds while the collector does not answer. The surplus is dropped.
func TestQueueIsBounded(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	var mu sync.Mutex
	bytes := 0
	provider := open(t, io.Discard, 1, func(_ http.ResponseWriter, r *http.Request) {
		<-release
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		bytes += len(body)
	})
	spans(t, provider.Tracer(), 50_000)
	close(release)
	provider.Close()
	mu.Lock()
	defer mu.Unlock()
	require.Positive(t, bytes)
	require.Less(t, bytes, 8000*60, "a span has at least 60 bytes, and the queue holds 2048")
}

// TestRatio verifies that a ratio of 0 sends no trace that begins here.
func TestRatio(t *testing.T) {
	t.Parallel()
	provider := open(t, io.Discard, 0, func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s was sent", r.URL)
	})
	spans(t, provider.Tracer(), 10)
	provider.Close()
}

// TestFailuresAreLoggedOnce verifies that many failures of the collector are one warning.
func TestFailuresAreLoggedOnce(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	provider := open(t, &log, 1, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) })
	spans(t, provider.Tracer(), 1500) // at least two requests
	provider.Close()
	require.Equal(t, 1, strings.Count(log.String(), "sending traces failed"), log.String())
}

// TestOff verifies that a nil provider has no tracer.
func TestOff(t *testing.T) {
	t.Parallel()
	var provider *tracing.Provider
	require.Nil(t, provider.Tracer())
	provider.Close()
}
