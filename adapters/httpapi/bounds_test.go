package httpapi_test

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"

	"github.com/lockbox-go/lockbox/adapters/httpapi"
	"github.com/lockbox-go/lockbox/domain"
)

// bounded returns an API with the given bounds. The API accepts no token.
func bounded(bounds httpapi.Bounds, ready func() error) *httpapi.API {
	return httpapi.New(httpapi.Config{
		Verify: func(context.Context, string) (domain.Credential, error) {
			return domain.Credential{}, domain.ErrUnauthenticated
		},
		CheckReady:   func(context.Context) error { return ready() },
		Log:          slog.New(slog.DiscardHandler),
		Metrics:      prometheus.NewRegistry(),
		Bounds:       bounds,
		MaxBodyBytes: 1 << 20,
	})
}

func isReady() error { return nil }

// The variable small has bounds that are low enough for a test to reach.
var small = httpapi.Bounds{
	Connections:        3,
	Requests:           4,
	RequestsPerUser:    1,
	RequestsPerAddress: 1,
	BodyBytes:          1 << 20,
	AnswerBytes:        1 << 20,
}

const alive = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"

// TestConnectionsAreBounded verifies that a new connection replaces an idle one, with and without TLS.
func TestConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]*tls.Config{"plain": nil, "TLS": certificate(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := serve(t, bounded(small, isReady), config, nil)
			first := dial(t, address, address, config != nil)
			got, _ := send(t, first, alive)
			require.Equal(t, 200, got.StatusCode)
			for range 2 {
				got, _ := send(t, dial(t, address, address, config != nil), alive)
				require.Equal(t, 200, got.StatusCode)
			}
			time.Sleep(1100 * time.Millisecond) // then a new connection may replace one of the same address
			got, _ = send(t, dial(t, address, address, config != nil), alive)
			require.Equal(t, 200, got.StatusCode)
			require.NoError(t, first.SetReadDeadline(time.Now().Add(10*time.Second)))
			_, err := first.Read(make([]byte, 1))
			require.ErrorIs(t, err, io.EOF, "the idle connection is closed")
		})
	}
}

const stalled = "POST /authenticate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" +
	"Content-Length: 10\r\n\r\n{"

// TestRequestsOfAnAddressAreBounded verifies that an address with too many requests gets 429, and that probes are still
// answered.
func TestRequestsOfAnAddressAreBounded(t *testing.T) {
	t.Parallel()
	address := serve(t, bounded(httpapi.Bounds{Connections: 99, Requests: 9, RequestsPerAddress: 1}, isReady), nil, nil)
	occupy(t, address)
	for path, accounts := range map[string]bool{"/authenticate": false, "/init": false, "/api/v1/user/auth": true} {
		got, body := send(t, dial(t, address, "", false), "POST "+path+" HTTP/1.1\r\nHost: x\r\n"+
			"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n")
		require.Equal(t, 429, got.StatusCode)
		require.Equal(t, "1", got.Header.Get("Retry-After"))
		require.True(t, got.Close, "the server does not wait for the body")
		requireShape(t, accounts, got, body, "too_many_requests")
	}
	got, _ := send(t, dial(t, address, "", false), alive)
	require.Equal(t, 200, got.StatusCode)
}

// occupy sends stalled requests until one of them occupies the only place of its address. The GET request that checks
// the limit also needs the place for a short time. If a stalled request is refused for this reason, occupy sends
// another.
func occupy(t *testing.T, address string) {
	t.Helper()
	require.Eventually(t, func() bool {
		_, err := io.WriteString(dial(t, address, "", false), stalled)
		require.NoError(t, err)
		got, _ := send(t, dial(t, address, "", false), "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
		return got.StatusCode == 429
	}, 10*time.Second, 10*time.Millisecond)
}

// TestBoundMetrics verifies that each bound has three metrics: the limit, the used amount and the number of refusals.
func TestBoundMetrics(t *testing.T) {
	t.Parallel()
	address := serve(t, bounded(small, isReady), nil, nil)
	got, body := send(t, dial(t, address, "", false), "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
	require.Equal(t, 200, got.StatusCode)
	for bound, limit := range map[string]string{"connections": "3", "requests": "4", "requests_per_user": "1",
		"unverified_requests": "2", "unverified_requests_per_address": "1", "body_bytes": "1.048576e+06",
		"user_body_bytes": "262144", "answer_bytes": "1.048576e+06", "user_answer_bytes": "262144"} {
		require.Contains(t, string(body), `lockbox_http_bound_limit{bound="`+bound+`"} `+limit+"\n")
		require.Contains(t, string(body), `lockbox_http_bound_used{bound="`+bound+`"} `)
		require.Contains(t, string(body), `lockbox_http_bound_refused_total{bound="`+bound+`"} 0`)
	}
}

// TestHeaderSizes verifies that headers of up to 8,000 bytes are accepted, and that a header of 13 KiB is refused.
func TestHeaderSizes(t *testing.T) {
	t.Parallel()
	address := serve(t, bounded(small, isReady), nil, nil)
	for size, status := range map[int]int{1 << 10: 200, 8000: 200, 13 << 10: 431} {
		got, _ := send(t, dial(t, address, "", false),
			"GET /healthz HTTP/1.1\r\nHost: x\r\nA: "+strings.Repeat("a", size)+"\r\n\r\n")
		require.Equal(t, status, got.StatusCode, size)
	}
}

// TestStreamsAreBounded verifies the limits that the server announces to HTTP/2 clients.
func TestStreamsAreBounded(t *testing.T) {
	t.Parallel()
	address := serve(t, bounded(small, isReady), certificate(t), nil)
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	_, err = io.WriteString(conn, http2.ClientPreface)
	require.NoError(t, err)
	framer := http2.NewFramer(conn, conn)
	require.NoError(t, framer.WriteSettings())
	frame, err := framer.ReadFrame()
	require.NoError(t, err)
	settings, ok := frame.(*http2.SettingsFrame)
	require.True(t, ok, "%T", frame)
	for id, limit := range map[http2.SettingID]uint32{http2.SettingMaxConcurrentStreams: 32,
		http2.SettingMaxHeaderListSize: 8<<10 + 320, http2.SettingInitialWindowSize: 64 << 10} {
		value, ok := settings.Value(id)
		require.True(t, ok, id)
		require.Equal(t, limit, value, id)
	}
}

// TestProbesShareACheck verifies that concurrent probes share checks of the database, and that later probes report a
// failure of the database.
func TestProbesShareACheck(t *testing.T) {
	t.Parallel()
	var checks atomic.Int32
	var down atomic.Bool
	api := bounded(httpapi.Bounds{}, func() error {
		checks.Add(1)
		if down.Load() {
			return domain.ErrBusy
		}
		return nil
	})
	var probes sync.WaitGroup
	for range 50 {
		probes.Go(func() { require.Equal(t, 200, status(t, api, "/readyz")) })
	}
	probes.Wait()
	require.Less(t, checks.Load(), int32(25))
	down.Store(true)
	require.Eventually(t, func() bool { return status(t, api, "/readyz") == 503 }, 10*time.Second, 20*time.Millisecond)
}

func status(t *testing.T, api *httpapi.API, path string) int {
	t.Helper()
	recorder := httptest.NewRecorder()
	api.ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), "GET", path, nil))
	return recorder.Code
}
