package httpapi_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/adapters/httpapi"
	"github.com/lockbox-go/lockbox/domain"
)

// stuckAPI returns an API with a short deadline. A request with a token waits until its context ends. fail converts the
// error of that context into the error of the request.
func stuckAPI(limit time.Duration, fail func(error) error) *httpapi.API {
	return httpapi.New(httpapi.Config{
		Verify: func(ctx context.Context, _ string) (domain.Credential, error) {
			<-ctx.Done()
			return domain.Credential{}, fail(ctx.Err())
		},
		Log:          slog.New(slog.DiscardHandler),
		Metrics:      prometheus.NewRegistry(),
		MaxBodyBytes: 1 << 20,
		RequestTime:  limit,
	})
}

// TestARequestEndsAtItsDeadline verifies, over HTTP/1 and HTTP/2, that a waiting request gets a 503 at its deadline,
// and that the code of the response shows whether a retry is safe.
func TestARequestEndsAtItsDeadline(t *testing.T) {
	t.Parallel()
	unavailable := domain.Refuse(domain.Unavailable, "database_unavailable", "the database does not answer")
	for name, test := range map[string]struct {
		method, code string
		http2        bool
		fail         func(error) error
	}{
		"a read":              {"GET", "busy", false, func(err error) error { return err }},
		"a write":             {"DELETE", "outcome_unknown", false, func(err error) error { return err }},
		"a write over HTTP/2": {"DELETE", "outcome_unknown", true, func(err error) error { return err }},
		"an error of storage": {"GET", "database_unavailable", false, func(error) error { return unavailable }},
		"storage and its cause": {"DELETE", "database_unavailable", true, func(err error) error {
			return unavailable.Because(err)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := stuckAPI(50*time.Millisecond, test.fail).Server()
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			server.Protocols = new(http.Protocols)
			server.Protocols.SetHTTP1(true)
			server.Protocols.SetUnencryptedHTTP2(true)
			go func() { _ = server.Serve(listener) }()
			t.Cleanup(func() { _ = server.Close() })
			transport := &http.Transport{Protocols: new(http.Protocols)}
			transport.Protocols.SetHTTP1(!test.http2)
			transport.Protocols.SetUnencryptedHTTP2(test.http2)
			t.Cleanup(transport.CloseIdleConnections)
			request, err := http.NewRequestWithContext(t.Context(), test.method,
				"http://"+listener.Addr().String()+"/boxes/a", nil)
			require.NoError(t, err)
			request.Header.Set("Authorization", "Bearer token")
			response, err := (&http.Client{Transport: transport}).Do(request)
			require.NoError(t, err)
			defer func() { _ = response.Body.Close() }()
			content, err := io.ReadAll(response.Body)
			require.NoError(t, err)
			require.Equal(t, 503, response.StatusCode, "%s", content)
			require.Contains(t, string(content), `"code":"`+test.code+`"`)
			require.Equal(t, "1", response.Header.Get("Retry-After"))
		})
	}
}

// TestTheDeadlineExcludesTheBody sends a body whose arrival takes longer than the time limit of the request. The limit
// must not end the request.
func TestTheDeadlineExcludesTheBody(t *testing.T) {
	t.Parallel()
	const limit = 300 * time.Millisecond
	reading, sending := io.Pipe()
	api := stuckAPI(limit, func(err error) error { return err })
	address := serve(t, api, nil, nil)
	go func() {
		for _, part := range []string{`{"username":`, `"anna",`, `"password"`, `:7}`} {
			time.Sleep(limit / 2) // the body takes twice the limit
			_, _ = io.Copy(sending, bytes.NewReader([]byte(part)))
		}
		_ = sending.Close()
	}()
	request, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+address+"/authenticate", reading)
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.Equal(t, 400, response.StatusCode, "the wrong type of the password is reported")
	require.NoError(t, response.Body.Close())
}
