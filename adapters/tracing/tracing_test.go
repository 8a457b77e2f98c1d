package tracing_test

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
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
		Headers:   http.Header{"Authorization": {"Bearer secret"}},
		Ratio:     ratio,
		Version:   "test",
		Log:       slog.New(slog.NewTextHandler(log, nil)),
	})
	require.NoError(t, err)
	return provider
}

// spans makes spans and returns the time that this took.
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

// TestRatio verifies that with a ratio of 0, no trace is sent. This includes traces that a caller wants to record.
func TestRatio(t *testing.T) {
	t.Parallel()
	provider := open(t, io.Discard, 0, func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s was sent", r.URL)
	})
	spans(t, provider.Tracer(), 10)
	caller := trace.NewSpanContext(trace.SpanContextConfig{
		TraceID:    trace.TraceID{1},
		SpanID:     trace.SpanID{2},
		TraceFlags: trace.FlagsSampled,
		Remote:     true,
	})
	_, span := provider.Tracer().Start(trace.ContextWithRemoteSpanContext(t.Context(), caller), "span")
	span.End()
	provider.Close()
}

// TestFailuresAreLoggedOnce verifies that many failures of the collector cause only one warning.
func TestFailuresAreLoggedOnce(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	provider := open(t, &log, 1, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) })
	spans(t, provider.Tracer(), 1500) // at least two requests
	provider.Close()
	require.Equal(t, 1, strings.Count(log.String(), "sending traces failed"), log.String())
}

// TestTemporaryFailuresAreRepeated verifies that a request is sent again, with its headers, after a temporary failure.
func TestTemporaryFailuresAreRepeated(t *testing.T) {
	t.Parallel()
	for _, status := range []int{429, 502, 503, 504} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			t.Parallel()
			var log strings.Builder
			var bodies []string // requests are sent one after another
			provider := open(t, &log, 1, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				bodies = append(bodies, r.Header.Get("Authorization")+string(body))
				if len(bodies) == 1 {
					w.WriteHeader(status)
				}
			})
			spans(t, provider.Tracer(), 1)
			provider.Close()
			require.Len(t, bodies, 2)
			require.Equal(t, bodies[0], bodies[1])
			require.Contains(t, bodies[0], "Bearer secret")
			require.Empty(t, log.String())
		})
	}
}

// TestRedirectsAreRefused verifies that the headers are not sent to another host, and are not logged.
func TestRedirectsAreRefused(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s received a request", r.Host)
	}))
	t.Cleanup(other.Close)
	var log strings.Builder
	provider := open(t, &log, 1, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	})
	spans(t, provider.Tracer(), 1)
	provider.Close()
	require.Contains(t, log.String(), "status 307")
	require.NotContains(t, log.String(), "secret")
}

// hostile returns the URL of a server that answers every request with the given bytes. The query string of the URL
// contains a secret.
func hostile(t *testing.T, answer string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, listener.Close()) })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
					_, _ = io.WriteString(conn, answer)
				}
			}()
		}
	}()
	return "http://" + listener.Addr().String() + "/v1/traces?key=secret-in-url"
}

// hostileAnswers are responses that net/http refuses. The errors of net/http repeat parts of these responses.
var hostileAnswers = []string{
	"canary-in-response\r\n\r\n",
	"HTTP/1.1 canary-in-response\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: canary-in-response\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: canary-in-response\r\n\r\n",
	"HTTP/1.1 200 OK\r\ncanary-in-response\r\n\r\n",
	"HTTP/1.1 200 OK\r\nA: " + strings.Repeat("canary-in-response", 2000) + "\r\n\r\n",
}

// TestHostileCollector verifies that the log repeats neither a malformed response nor the URL of the collector.
func TestHostileCollector(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	addresses := []string{"http://" + closed.Addr().String() + "/v1/traces?key=secret-in-url"}
	for _, answer := range hostileAnswers {
		addresses = append(addresses, hostile(t, answer))
	}
	for n, address := range addresses {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			t.Parallel()
			collector, err := url.Parse(address)
			require.NoError(t, err)
			client := tracing.NewCollector(tracing.Config{Collector: collector})
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			err = client.UploadTraces(ctx, nil)
			require.ErrorContains(t, err, "the request to the collector failed: ")
			require.NotContains(t, err.Error(), "canary")
			require.NotContains(t, err.Error(), "secret")
		})
	}
}

// TestOff verifies that a nil provider has no tracer.
func TestOff(t *testing.T) {
	t.Parallel()
	var provider *tracing.Provider
	require.Nil(t, provider.Tracer())
	provider.Close()
}
