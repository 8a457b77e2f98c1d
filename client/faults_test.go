package client_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/client"
	"github.com/lockbox-go/lockbox/tests/live"
)

const canary = "canary-3f9b"

// broken starts a fake server that counts the requests. The server calls the function answer for each request. The
// argument attempt is the number of the request, from 1.
func broken(t *testing.T, answer func(attempt int, w http.ResponseWriter, r *http.Request)) (url string,
	attempts *atomic.Int32) {
	t.Helper()
	attempts = new(atomic.Int32)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer(int(attempts.Add(1)), w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, attempts
}

func at(url string) func(*client.Config) {
	return func(config *client.Config) { config.URL = url }
}

// hangUp closes the connection without a response.
func hangUp(w http.ResponseWriter) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

func fail(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"status":%d,"code":%q,"detail":"because"}`, status, code)
}

// closedPort returns a URL whose port refuses connections.
func closedPort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	return "http://" + listener.Addr().String()
}

func TestServerDown(t *testing.T) {
	t.Parallel()
	c := connect(t, at(closedPort(t)))
	_, err := c.ReadEntry(t.Context(), canary, canary, nil)
	require.ErrorIs(t, err, client.ErrUnavailable)
	var operation *net.OpError
	require.ErrorAs(t, err, &operation)
	require.Zero(t, failure(t, err).Status)
	require.NotContains(t, err.Error(), canary)
	_, err = c.WriteEntry(t.Context(), "prod", "app", 1, nil)
	require.ErrorIs(t, err, client.ErrUnavailable)
	require.NotErrorIs(t, err, client.ErrOutcomeUnknown, "nothing was sent")
	require.ErrorIs(t, c.Ready(t.Context()), client.ErrUnavailable)
}

// TestServerComesBack checks that the client retries even a write if the first attempt found no server.
func TestServerComesBack(t *testing.T) {
	t.Parallel()
	address := closedPort(t)
	c := connect(t, func(config *client.Config) {
		config.URL, config.RetryWait, config.MaxAttempts = address, 20*time.Millisecond, 8
	})
	time.AfterFunc(50*time.Millisecond, func() {
		listener, err := net.Listen("tcp", strings.TrimPrefix(address, "http://"))
		if !assert.NoError(t, err) {
			return
		}
		server := &http.Server{ReadHeaderTimeout: time.Minute,
			Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusCreated)
			})}
		t.Cleanup(func() { _ = server.Close() })
		go func() { _ = server.Serve(listener) }()
	})
	require.NoError(t, c.CreateBox(t.Context(), "prod"))
}

// TestRetries sends requests that fail in various ways, and checks whether the client retries them.
func TestRetries(t *testing.T) {
	t.Parallel()
	read := func(ctx context.Context, c *client.Client) error { return second(c.ListBoxes(ctx)) }
	remove := func(ctx context.Context, c *client.Client) error { return c.DeleteEntry(ctx, "box", "key", nil) }
	set := func(ctx context.Context, c *client.Client) error { return c.SetPermissions(ctx, "box", "anna", nil) }
	write := func(ctx context.Context, c *client.Client) error {
		return second(c.WriteEntry(ctx, "box", "key", 1, nil))
	}
	writeIf := func(ctx context.Context, c *client.Client) error {
		return second(c.WriteEntry(ctx, "box", "key", 1, &client.WriteOptions{IfMatch: 1}))
	}
	create := func(ctx context.Context, c *client.Client) error { return c.CreateBox(ctx, "box") }
	password := func(ctx context.Context, c *client.Client) error {
		return c.UpdateUser(ctx, "anna", client.UserChange{Password: code})
	}
	refresh := func(ctx context.Context, c *client.Client) error { return second(c.Accounts().Refresh(ctx, code)) }
	ready := func(ctx context.Context, c *client.Client) error { return c.Ready(ctx) }

	lost := func(w http.ResponseWriter) { hangUp(w) }
	gateway := func(w http.ResponseWriter) {
		w.WriteHeader(http.StatusBadGateway)
		_, _ = fmt.Fprint(w, "<html>Bad Gateway "+canary)
	}
	busy := func(w http.ResponseWriter) { fail(w, http.StatusServiceUnavailable, "busy") }
	unknown := func(w http.ResponseWriter) { fail(w, http.StatusServiceUnavailable, "outcome_unknown") }
	throttled := func(w http.ResponseWriter) { fail(w, http.StatusTooManyRequests, "throttled") }
	fault := func(w http.ResponseWriter) { fail(w, http.StatusInternalServerError, "internal_error") }
	forbidden := func(w http.ResponseWriter) { fail(w, http.StatusForbidden, "permission_missing") }
	truncated := func(w http.ResponseWriter) {
		w.Header().Set("Content-Length", "100")
		w.WriteHeader(http.StatusOK)
		_, _ = fmt.Fprint(w, `["de`)
	}

	for name, test := range map[string]struct {
		send     func(context.Context, *client.Client) error
		answer   func(http.ResponseWriter)
		attempts int32
		kind     error
		unclear  bool
	}{
		"read, lost":           {read, lost, 3, client.ErrUnavailable, false},
		"read, gateway":        {read, gateway, 3, client.ErrUnavailable, false},
		"read, busy":           {read, busy, 3, client.ErrUnavailable, false},
		"read, throttled":      {read, throttled, 3, client.ErrThrottled, false},
		"read, truncated":      {read, truncated, 3, client.ErrUnavailable, false},
		"read, fault":          {read, fault, 1, client.ErrServer, false},
		"read, forbidden":      {read, forbidden, 1, client.ErrForbidden, false},
		"delete, lost":         {remove, lost, 3, client.ErrUnavailable, true},
		"delete, gateway":      {remove, gateway, 3, client.ErrUnavailable, true},
		"delete, busy":         {remove, busy, 3, client.ErrUnavailable, false},
		"set, lost":            {set, lost, 3, client.ErrUnavailable, true},
		"write, lost":          {write, lost, 1, client.ErrUnavailable, true},
		"write, gateway":       {write, gateway, 1, client.ErrUnavailable, true},
		"write, busy":          {write, busy, 3, client.ErrUnavailable, false},
		"write, unknown":       {write, unknown, 1, client.ErrUnavailable, true},
		"write, throttled":     {write, throttled, 3, client.ErrThrottled, false},
		"write, fault":         {write, fault, 1, client.ErrServer, true},
		"write, forbidden":     {write, forbidden, 1, client.ErrForbidden, false},
		"write if, lost":       {writeIf, lost, 3, client.ErrUnavailable, true},
		"write if, unknown":    {writeIf, unknown, 3, client.ErrUnavailable, true},
		"create, lost":         {create, lost, 1, client.ErrUnavailable, true},
		"create, busy":         {create, busy, 3, client.ErrUnavailable, false},
		"password, lost":       {password, lost, 1, client.ErrUnavailable, true},
		"refresh, lost":        {refresh, lost, 1, client.ErrUnavailable, true},
		"refresh, unavailable": {refresh, busy, 1, client.ErrUnavailable, true},
		"ready, busy":          {ready, busy, 1, client.ErrUnavailable, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, attempts := broken(t, func(_ int, w http.ResponseWriter, _ *http.Request) { test.answer(w) })
			err := test.send(t.Context(),
				connect(t, func(config *client.Config) { config.URL, config.MaxAttempts = url, 3 }))
			assert.Equal(t, test.attempts, attempts.Load())
			require.ErrorIs(t, err, test.kind)
			assert.Equal(t, test.unclear, errors.Is(err, client.ErrOutcomeUnknown), err)
			assert.NotContains(t, err.Error(), canary)
		})
	}
}

func TestRetriedDeletionSucceeds(t *testing.T) {
	t.Parallel()
	url, attempts := broken(t, func(attempt int, w http.ResponseWriter, _ *http.Request) {
		if attempt == 1 {
			hangUp(w)
			return
		}
		fail(w, http.StatusNotFound, "entry_not_found")
	})
	c := connect(t, at(url))
	require.NoError(t, c.DeleteEntry(t.Context(), "box", "key", nil))
	require.EqualValues(t, 2, attempts.Load())
	require.ErrorIs(t, c.DeleteEntry(t.Context(), "box", "key", nil), client.ErrNotFound, "it was the first attempt")
}

// TestConditionBrokenByOwnWrite loses the response to the first attempt of a write with IfMatch. The condition of the
// retry then fails because of the first attempt, so the client must return ErrOutcomeUnknown.
func TestConditionBrokenByOwnWrite(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	direct, box := boxFor(t)
	_, err := direct.WriteEntry(ctx, box, "key", 1, nil)
	require.NoError(t, err)
	url, attempts := broken(t, func(attempt int, w http.ResponseWriter, r *http.Request) {
		forward(t, w, r, attempt == 1)
	})
	_, err = connect(t, at(url)).WriteEntry(ctx, box, "key", 2, &client.WriteOptions{IfMatch: 1})
	require.EqualValues(t, 2, attempts.Load())
	require.ErrorIs(t, err, client.ErrOutcomeUnknown)
	require.NotErrorIs(t, err, client.ErrPrecondition)
	require.Equal(t, []any{412, "precondition_failed"}, []any{failure(t, err).Status, failure(t, err).Code})
	entry, err := direct.ReadEntry(ctx, box, "key", nil)
	require.NoError(t, err)
	require.Equal(t, []any{"2", uint64(2)}, []any{string(entry.Value), entry.Version}, "it was written once")
}

// forward sends a request to the shared server and passes the response on to w. If lose is true, it drops the response
// and closes the connection.
func forward(t *testing.T, w http.ResponseWriter, r *http.Request, lose bool) {
	request, err := http.NewRequestWithContext(r.Context(), r.Method, serverURL+r.URL.RequestURI(), r.Body)
	if !assert.NoError(t, err) {
		return
	}
	request.Header, request.ContentLength = r.Header, r.ContentLength
	response, err := http.DefaultClient.Do(request)
	if !assert.NoError(t, err) {
		return
	}
	defer func() { _ = response.Body.Close() }()
	if lose {
		hangUp(w)
		return
	}
	for name, values := range response.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(response.StatusCode)
	_, _ = bufio.NewReader(response.Body).WriteTo(w)
}

func TestThrottledByTheServer(t *testing.T) {
	t.Parallel()
	server, err := live.Open("THROTTLE_FREE_ATTEMPTS=2")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, server.Stop()) })
	c := connect(t, at(server.URL))
	_, err = c.Initialize(t.Context(), client.FirstUser{Username: "root", Password: secret("password")})
	require.NoError(t, err)
	for range 3 {
		_, err = c.SignIn(t.Context(), client.Credentials{Username: "root", Password: secret("wrong")})
	}
	require.ErrorIs(t, err, client.ErrThrottled)
	require.Equal(t, "throttled", failure(t, err).Code)
	require.InDelta(t, 30, failure(t, err).RetryAfter.Seconds(), 2,
		"it is longer than MaxRetryWait, so the call fails at once")
}

func TestRetryAfterIsHonored(t *testing.T) {
	t.Parallel()
	url, attempts := broken(t, func(attempt int, w http.ResponseWriter, _ *http.Request) {
		if attempt == 1 {
			w.Header().Set("Retry-After", "1")
			fail(w, http.StatusServiceUnavailable, "busy")
			return
		}
		w.WriteHeader(http.StatusCreated)
	})
	began := time.Now()
	require.NoError(t, connect(t, at(url)).CreateBox(t.Context(), "box"))
	require.EqualValues(t, 2, attempts.Load())
	require.GreaterOrEqual(t, time.Since(began), time.Second)
}

func TestRetryAfterAsADate(t *testing.T) {
	t.Parallel()
	url, attempts := broken(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
		fail(w, http.StatusTooManyRequests, "throttled")
	})
	err := connect(t, at(url)).CreateBox(t.Context(), "box")
	require.EqualValues(t, 1, attempts.Load())
	require.InDelta(t, time.Hour, failure(t, err).RetryAfter, float64(5*time.Second))
}

func TestCancelledWhileWaitingForRetry(t *testing.T) {
	t.Parallel()
	url, attempts := broken(t, func(_ int, w http.ResponseWriter, _ *http.Request) { hangUp(w) })
	c := connect(t, func(config *client.Config) {
		config.URL, config.RetryWait, config.MaxRetryWait = url, time.Hour, time.Hour
	})
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	began := time.Now()
	err := c.DeleteEntry(ctx, "box", "key", nil)
	require.Less(t, time.Since(began), 10*time.Second)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, client.ErrUnavailable, "the reason for the retry")
	require.ErrorIs(t, err, client.ErrOutcomeUnknown)
	require.EqualValues(t, 1, attempts.Load())
}

// TestDeletingANameIsNotRetried verifies that the client does not retry a deletion by name. A new box or user may
// have taken the name since the first attempt.
func TestDeletingANameIsNotRetried(t *testing.T) {
	t.Parallel()
	url, attempts := broken(t, func(_ int, w http.ResponseWriter, _ *http.Request) { hangUp(w) })
	c := connect(t, at(url))
	require.ErrorIs(t, c.DeleteBox(t.Context(), "box"), client.ErrOutcomeUnknown)
	require.ErrorIs(t, c.DeleteUser(t.Context(), "user"), client.ErrOutcomeUnknown)
	require.EqualValues(t, 2, attempts.Load())
}

func TestCancelledBefore(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("no longer wanted"))
	err := connect(t, nil).CreateBox(ctx, "box")
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, client.ErrOutcomeUnknown)
	require.NotErrorIs(t, err, client.ErrUnavailable)
}

func TestNoWaitBeyondTheDeadline(t *testing.T) {
	t.Parallel()
	url, _ := broken(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		fail(w, http.StatusServiceUnavailable,
			"busy")
	})
	c := connect(t, func(config *client.Config) {
		config.URL, config.RetryWait, config.MaxRetryWait = url, time.Hour, time.Hour
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := c.CreateBox(ctx, "box")
	require.ErrorIs(t, err, client.ErrUnavailable)
	require.Equal(t, "busy", failure(t, err).Code, "the server's error is returned instead of a timeout")
}

func TestSlowServer(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	url, attempts := broken(t, func(int, http.ResponseWriter, *http.Request) { <-release })
	t.Cleanup(func() { close(release) })
	c := connect(t, func(config *client.Config) {
		config.URL, config.AttemptTimeout, config.MaxAttempts = url, 50*time.Millisecond, 2
	})
	_, err := c.ListBoxes(t.Context())
	require.ErrorIs(t, err, client.ErrUnavailable)
	require.EqualValues(t, 2, attempts.Load())
	require.ErrorContains(t, err, "no response within 50ms")
	require.ErrorIs(t, c.CreateBox(t.Context(), "box"), client.ErrOutcomeUnknown)
	require.EqualValues(t, 3, attempts.Load())

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = c.ListBoxes(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.EqualValues(t, 4, attempts.Load())
}
