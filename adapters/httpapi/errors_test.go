package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/adapters/httpapi"
	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

const secret = "hunter2-and-the-password-of-the-database"

// failing returns an API and its log. Every request with a token fails with the given error, before a use case runs.
func failing(fail func() error) (*httpapi.API, *bytes.Buffer) {
	var log bytes.Buffer
	return httpapi.New(httpapi.Config{
		Verify:       func(context.Context, string) (domain.Credential, error) { return domain.Credential{}, fail() },
		CheckReady:   func(context.Context) error { return fail() },
		Log:          slog.New(slog.NewJSONHandler(&log, nil)),
		Metrics:      prometheus.NewRegistry(),
		MaxBodyBytes: 1024,
	}), &log
}

type problem struct {
	Status       int
	Title, Code  string
	Detail       string
	Instance     string
	Errors       []struct{ Message, Field string }
	requestID    string
	retryAfter   string
	authenticate string
}

func ask(t *testing.T, api *httpapi.API, path string) problem {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), "GET", path, nil)
	request.Header.Set("Authorization", "Bearer token")
	recorder := httptest.NewRecorder()
	api.ServeHTTP(recorder, request)
	require.NotContains(t, recorder.Body.String(), secret)
	require.Equal(t, "application/problem+json", recorder.Header().Get("Content-Type"))
	got := problem{requestID: recorder.Header().Get("X-Request-Id"), retryAfter: recorder.Header().Get("Retry-After"),
		authenticate: recorder.Header().Get("WWW-Authenticate")}
	require.NoError(t, json.Unmarshal(recorder.Body.Bytes(), &got))
	require.Equal(t, recorder.Code, got.Status)
	return got
}

// failures counts the warnings and errors of a log.
func failures(log *bytes.Buffer) int {
	return strings.Count(log.String(), `"level":"ERROR"`) + strings.Count(log.String(), `"level":"WARN"`)
}

// TestPanic verifies that every panic causes the same response with status 500, and that the stack is logged exactly
// once. The value of the panic is not in the response and not in the log.
func TestPanic(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]any{"text": secret, "error": errors.New(secret),
		"struct": struct{ Password string }{secret}, "bytes": []byte(secret)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api, log := failing(func() error { panic(value) })
			got := ask(t, api, "/boxes")
			require.Equal(t, 500, got.Status)
			require.Equal(t, "internal_error", got.Code)
			require.Equal(t, "urn:lockbox:request:"+got.requestID, got.Instance)
			require.Equal(t, 1, failures(log))
			require.Contains(t, log.String(), got.requestID)
			require.Contains(t, log.String(), "errors_test.go", "the stack")
			require.Contains(t, log.String(), `"route":"/boxes"`)
			require.NotContains(t, log.String(), secret)
			require.Equal(t, 500, ask(t, api, "/boxes").Status, "the next request is served")
		})
	}
}

// TestUnknownErrors verifies that every error from outside the domain causes the same response with status 500. Only
// the log contains the text of the error.
func TestUnknownErrors(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{
		"any":         errors.New(secret),
		"wrapped":     fmt.Errorf("while reading: %w", errors.New(secret)),
		"a bare kind": fmt.Errorf("%s: %w", secret, domain.NotFound),
		"a deadline":  fmt.Errorf("%s: %w", secret, context.DeadlineExceeded),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api, log := failing(func() error { return err })
			got := ask(t, api, "/boxes")
			require.Equal(t, 500, got.Status)
			require.Equal(t, "internal_error", got.Code)
			require.Equal(t, 1, failures(log))
			require.Contains(t, log.String(), secret, "the operator sees it")
			require.Contains(t, log.String(), got.requestID)
		})
	}
}

func TestTampering(t *testing.T) {
	t.Parallel()
	api, log := failing(func() error {
		return fmt.Errorf("open: %w",
			&ports.TamperedError{What: "the entry " + secret})
	})
	got := ask(t, api, "/boxes")
	require.Equal(t, 500, got.Status)
	require.Equal(t, "tampered", got.Code)
	require.Equal(t, 1, failures(log))
}

// TestRefusals verifies that each kind of error gets the right status, even if the error is wrapped, and that the
// response omits the cause.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for kind, status := range map[domain.Kind]int{domain.Invalid: 400, domain.Unauthenticated: 401,
		domain.Forbidden: 403, domain.NotFound: 404, domain.Conflict: 409,
		domain.Precondition: 412, domain.TooLarge: 413, domain.Unsupported: 415, domain.RateLimited: 429,
		domain.Unavailable: 503} {
		t.Run(kind.Error(), func(t *testing.T) {
			t.Parallel()
			refusal := domain.Refuse(kind, "the_code", "the sentence").Because(errors.New(secret))
			api, log := failing(func() error { return fmt.Errorf("deep: %w", refusal) })
			got := ask(t, api, "/boxes")
			require.Equal(t, status, got.Status)
			require.Equal(t, "the_code", got.Code)
			require.Equal(t, "the sentence", got.Detail)
			require.Equal(t, "the sentence", got.Errors[0].Message)
			require.NotEmpty(t, got.Title)
			require.Equal(t, status == 401, got.authenticate == "Bearer")
			require.Equal(t, status == 503, got.retryAfter == "1")
			logged := map[bool]int{true: 1, false: 0}[kind == domain.Unavailable]
			require.Equal(t, logged, failures(log), "only failures of the server are logged")
		})
	}
}

// TestClientDisconnected verifies that a request has status 499 if its client disconnected while the request waited.
// Such a request does not count as a failure of the server.
func TestClientDisconnected(t *testing.T) {
	t.Parallel()
	unknownOutcome := domain.Refuse(domain.Unavailable, "outcome_unknown", "unknown")
	for name, test := range map[string]struct {
		err      error
		status   int
		failures int
	}{
		"a query":              {fmt.Errorf("query: %w", context.Canceled), 499, 0},
		"a queue":              {domain.ErrBusy.Because(context.Canceled), 499, 0},
		"a statement":          {domain.Refuse(domain.Unavailable, "database_unavailable", "no answer"), 499, 0},
		"a commit":             {unknownOutcome, 503, 1},
		"a refusal":            {domain.ErrBoxNotFound, 404, 0},
		"a fault":              {errors.New(secret), 500, 1},
		"stored data tampered": {&ports.TamperedError{What: "the entry"}, 500, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, path := range []string{"/boxes", "/api/v1/user/list"} {
				api, log := failing(func() error { return test.err })
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				request := httptest.NewRequestWithContext(ctx, "GET", path, nil)
				request.Header.Set("Authorization", "Bearer token")
				recorder := httptest.NewRecorder()
				api.ServeHTTP(recorder, request)
				require.Equal(t, test.status, recorder.Code, path)
				require.Equal(t, test.failures, failures(log), path)
				require.Contains(t, log.String(), fmt.Sprintf(`"status":%d`, test.status))
			}
		})
	}
	api, _ := failing(func() error { return context.Canceled })
	got := ask(t, api, "/boxes")
	require.Equal(t, "client_closed_request", got.Code)
	require.Equal(t, "Client Closed Request", got.Title)
}

// TestWireWords verifies that responses add the names of headers and settings to messages of the domain. The shared
// errors of the domain must stay unchanged.
func TestWireWords(t *testing.T) {
	t.Parallel()
	_, keyErr := domain.ParseEncryptionKey("")
	inVariable := *domain.ErrKeyMismatch
	inVariable.Message, inVariable.Field = "env.A: "+inVariable.Message, "env.A"
	for _, test := range []struct {
		err          error
		field, words string
	}{
		{keyErr, "X-Encryption-Key", "the header X-Encryption-Key"},
		{domain.ErrKeyMismatch, "", "X-Encryption-Key"},
		{&inVariable, "env.A", "env.A: the key in X-Encryption-Key is not the key that the entry is encrypted with"},
		{domain.ErrPrecondition, "", "If-Match"},
		{domain.ErrNoDropletHost, "", "LOCKBOX_DOCKER_HOST"},
	} {
		api, _ := failing(func() error { return test.err })
		got := ask(t, api, "/boxes")
		require.Equal(t, test.field, got.Errors[0].Field)
		require.Contains(t, got.Detail, test.words)
		require.NotContains(t, test.err.Error(), test.words)
	}
}

func TestReadiness(t *testing.T) {
	t.Parallel()
	api, _ := failing(func() error { return domain.ErrBusy.Because(errors.New(secret)) })
	require.Equal(t, "busy", ask(t, api, "/readyz").Code)
	api, _ = failing(func() error { return nil })
	recorder := httptest.NewRecorder()
	api.ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), "GET", "/readyz", nil))
	require.Equal(t, 200, recorder.Code)
	api.Drain()
	got := ask(t, api, "/readyz")
	require.Equal(t, 503, got.Status)
	require.Equal(t, "draining", got.Code)
	alive := httptest.NewRecorder()
	api.ServeHTTP(alive, httptest.NewRequestWithContext(t.Context(), "GET", "/healthz", nil))
	require.Equal(t, 200, alive.Code, "a draining server is alive")
}

func TestRoutesAreNamedOnce(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, route := range httpapi.Routes() {
		name := route.Method + " " + route.Path
		require.False(t, seen[name], name)
		seen[name] = true
	}
}
