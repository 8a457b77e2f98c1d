package client_test

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/client"
)

func TestResponsesFromOtherServers(t *testing.T) {
	t.Parallel()
	page := func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprint(w, "<html>please log in to this network")
	}
	huge := func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprint(w, `["`+strings.Repeat("x", 2000)+`"]`)
	}
	other := func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprint(w, `{"boxes":"none"}`)
	}
	empty := func(w http.ResponseWriter) { w.WriteHeader(http.StatusNoContent) }
	for name, answer := range map[string]func(http.ResponseWriter){"page": page, "huge": huge, "other": other,
		"empty": empty} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, attempts := broken(t, func(_ int, w http.ResponseWriter, _ *http.Request) { answer(w) })
			c := connect(t, func(config *client.Config) { config.URL, config.MaxResponseBytes = url, 1000 })
			_, err := c.ListBoxes(t.Context())
			require.ErrorIs(t, err, client.ErrBadResponse)
			require.NotErrorIs(t, err, client.ErrOutcomeUnknown)
			require.EqualValues(t, 1, attempts.Load())
			require.ErrorIs(t, second(c.WriteEntry(t.Context(), "box", "key", 1, nil)), client.ErrOutcomeUnknown)
		})
	}
}

// TestRedirect checks that the client does not follow redirects. A redirect could send the token to another host.
func TestRedirect(t *testing.T) {
	t.Parallel()
	other, there := broken(t, func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	for _, status := range []int{301, 302, 303, 307, 308} {
		url, _ := broken(t, func(_ int, w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other+"/"+canary, status)
		})
		c := connect(t, func(config *client.Config) {
			config.URL = url
			config.HTTPClient = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return nil }}
		})
		_, err := c.ReadEntry(t.Context(), "prod", "app", nil)
		require.ErrorIs(t, err, client.ErrBadResponse)
		require.ErrorContains(t, err, "set URL to "+other)
		require.NotContains(t, err.Error(), canary)
	}
	require.Zero(t, there.Load())
}

func TestUntrustedCertificate(t *testing.T) {
	t.Parallel()
	var attempts atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter,
		*http.Request) {
		attempts.Add(1)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	began := time.Now()
	c := connect(t, func(config *client.Config) { config.URL, config.RetryWait = server.URL, time.Hour })
	err := c.CreateBox(t.Context(), "box")
	require.ErrorIs(t, err, client.ErrUnavailable)
	require.NotErrorIs(t, err, client.ErrOutcomeUnknown)
	require.ErrorContains(t, err, "certificate")
	require.Less(t, time.Since(began), time.Minute, "a retry would fail the same way")
	require.Zero(t, attempts.Load())
}

// TestErrorsArePrintable checks that the client removes control sequences from the texts that a server sends in errors.
func TestErrorsArePrintable(t *testing.T) {
	t.Parallel()
	url, _ := broken(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprintf(w, `{"code":"a\u001b[31m","detail":"b\r\n\u001b]0;%s"}`, strings.Repeat("ä", 5000))
	})
	err := connect(t, at(url)).CreateBox(t.Context(), "box")
	require.ErrorIs(t, err, client.ErrInvalid)
	require.NotRegexp(t, `[\x00-\x1f]`, err.Error())
	require.Less(t, len(err.Error()), 2000)
}

// TestRequestID checks that all attempts of a request have the same request id, and that the error contains the id.
func TestRequestID(t *testing.T) {
	t.Parallel()
	ids := make(chan string, 3)
	url, _ := broken(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		ids <- r.Header.Get("X-Request-Id")
		fail(w, http.StatusServiceUnavailable, "busy")
	})
	err := connect(t, func(config *client.Config) { config.URL, config.MaxAttempts = url, 3 }).CreateBox(t.Context(),
		"box")
	id := failure(t, err).RequestID
	require.Equal(t, []string{id, id, id}, []string{<-ids, <-ids, <-ids})
	require.ErrorContains(t, err, id)
}

// TestNotHTTP checks that an error does not quote a malformed line of a response, because the line may contain a token.
// The errors of net/http quote the line.
func TestNotHTTP(t *testing.T) {
	t.Parallel()
	url, _ := broken(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		conn, out, err := w.(http.Hijacker).Hijack()
		if assert.NoError(t, err) {
			_, _ = out.WriteString("HTTP/1.1 201 Created\r\nX-API-Key " + canary + "\r\n\r\n")
			_ = out.Flush()
			_ = conn.Close()
		}
	})
	_, err := connect(t, at(url)).CreateUser(t.Context(), client.NewUser{Username: "anna"})
	require.ErrorIs(t, err, client.ErrUnavailable)
	require.ErrorIs(t, err, client.ErrOutcomeUnknown)
	for ; err != nil; err = errors.Unwrap(err) {
		require.NotContains(t, err.Error(), canary)
	}
}

// TestErrorsOfProxies checks the error for a failure response of a proxy. The error matches ErrBadResponse and also the
// error for the status of the response, such as ErrForbidden for 403. The message contains a remedy. An error response
// of Lockbox itself, with the same status, is not ErrBadResponse.
func TestErrorsOfProxies(t *testing.T) {
	t.Parallel()
	for status, test := range map[int]struct {
		kind   error
		remedy string
	}{
		http.StatusForbidden:             {client.ErrForbidden, "access rules"},
		http.StatusRequestEntityTooLarge: {client.ErrTooLarge, "client_max_body_size"},
		http.StatusTooManyRequests:       {client.ErrThrottled, "rate of requests"},
		http.StatusInternalServerError:   {client.ErrServer, "check URL"},
		http.StatusBadGateway:            {client.ErrUnavailable, "cannot reach the server"},
		http.StatusGatewayTimeout:        {client.ErrUnavailable, "cannot reach the server"},
	} {
		url, _ := broken(t, func(_ int, w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				fail(w, status, "some_code")
				return
			}
			w.WriteHeader(status)
			_, _ = w.Write([]byte("<html>" + canary))
		})
		c := connect(t, func(config *client.Config) { config.URL, config.MaxAttempts = url, 1 })
		err := c.CreateBox(t.Context(), "prod")
		require.ErrorIs(t, err, test.kind)
		require.ErrorIs(t, err, client.ErrBadResponse)
		require.ErrorContains(t, err, test.remedy)
		require.NotContains(t, err.Error(), canary)
		_, err = c.ListBoxes(t.Context())
		require.ErrorIs(t, err, test.kind)
		require.NotErrorIs(t, err, client.ErrBadResponse)
	}
}
