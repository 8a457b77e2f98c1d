package auditstream

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	stdlog "log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// serve runs an HTTP server that receives the events, and returns its URL. The query string of the URL contains a
// secret.
func serve(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL + "/events?key=secret-in-url"
}

// newWebhook returns a webhook with a secret header.
func newWebhook(t *testing.T, url string) *Webhook {
	t.Helper()
	webhook := NewWebhook(WebhookConfig{
		URL:         url,
		HeaderName:  "Authorization",
		HeaderValue: "Bearer secret-token",
		UserAgent:   "lockbox/test",
	})
	t.Cleanup(func() { require.NoError(t, webhook.Close()) })
	return webhook
}

func TestWebhookRequest(t *testing.T) {
	t.Parallel()
	got, body := make(chan *http.Request, 1), make(chan string, 1)
	webhook := newWebhook(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		got <- r
		body <- string(text)
		w.WriteHeader(http.StatusNoContent)
	}))
	deliverAll(t, webhook, `{"id":"1"}`, `{"id":"2"}`)
	request := <-got
	require.Equal(t, "POST", request.Method)
	require.Equal(t, "application/x-ndjson", request.Header.Get("Content-Type"))
	require.Equal(t, "Bearer secret-token", request.Header.Get("Authorization"))
	require.Equal(t, "lockbox/test", request.Header.Get("User-Agent"))
	require.Equal(t, "{\"id\":\"1\"}\n{\"id\":\"2\"}\n", <-body)
}

// TestWebhookAnswers verifies which answers count as a delivery, and that no error contains a secret or the response.
func TestWebhookAnswers(t *testing.T) {
	t.Parallel()
	const redirected = ": Lockbox does not follow redirects; set LOCKBOX_AUDIT_STREAM to the final URL"
	for status, want := range map[int]string{
		200: "", 201: "", 202: "", 204: "",
		301: "the webhook answered with status 301" + redirected,
		307: "the webhook answered with status 307" + redirected,
		400: "the webhook answered with status 400",
		401: "the webhook answered with status 401: check LOCKBOX_AUDIT_STREAM_HEADER",
		403: "the webhook answered with status 403: check LOCKBOX_AUDIT_STREAM_HEADER",
		429: "the webhook answered with status 429",
		500: "the webhook answered with status 500",
		503: "the webhook answered with status 503",
	} {
		var elsewhere atomic.Int64
		webhook := newWebhook(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/events" {
				elsewhere.Add(1)
			}
			w.Header().Set("Location", "/elsewhere")
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, "text of the receiver")
		}))
		count, err := webhook.Deliver(t.Context(), lines("a", "b"))
		if want == "" {
			require.NoError(t, err)
			require.Equal(t, 2, count)
			continue
		}
		require.EqualError(t, err, want)
		require.Zero(t, count)
		require.Equal(t, 7*time.Second, retryAfter(err))
		require.Zero(t, elsewhere.Load(), "the events went elsewhere")
	}
}

// TestWebhookThatDoesNotAnswer covers receivers that are slow, close the connection or do not exist. Deliver returns an
// error soon after the deadline, and the error contains no secret.
func TestWebhookThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	for _, url := range []string{
		serve(t, func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.ReadAll(r.Body) // the server notices a closed connection only after it has read the body
			<-r.Context().Done()
		}),
		serve(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }),
		"http://" + closed.Addr().String() + "/events?key=secret-in-url",
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		count, err := newWebhook(t, url).Deliver(ctx, lines("a"))
		cancel()
		require.ErrorContains(t, err, "the request to the webhook failed: ")
		require.NotContains(t, err.Error(), "secret")
		require.Zero(t, count)
		require.Zero(t, retryAfter(err))
	}
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
	return "http://" + listener.Addr().String() + "/events?key=secret-in-url"
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

// TestHostileWebhook verifies that an error does not quote a malformed response, a name in a certificate or the URL. It
// also verifies that the size of a response header is limited.
func TestHostileWebhook(t *testing.T) {
	t.Parallel()
	for _, answer := range hostileAnswers {
		_, err := newWebhook(t, hostile(t, answer)).Deliver(t.Context(), lines("a"))
		require.EqualError(t, err, "the request to the webhook failed: the connection failed, or the response is "+
			"malformed or too large", answer[:20])
	}
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = stdlog.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	_, err := newWebhook(t, server.URL+"/events?key=secret-in-url").Deliver(t.Context(), lines("a"))
	require.EqualError(t, err, "the request to the webhook failed: certificate signed by unknown authority")
}

// TestFailuresWithNamesOfCertificates covers errors whose texts contain names that the receiver chose.
func TestFailuresWithNamesOfCertificates(t *testing.T) {
	t.Parallel()
	certificate := &x509.Certificate{DNSNames: []string{"canary"}}
	for want, err := range map[string]error{
		"the certificate is for another host name":        x509.HostnameError{Certificate: certificate, Host: "host"},
		"the certificate has expired or is not yet valid": x509.CertificateInvalidError{Reason: x509.Expired},
		"the certificate is not valid": x509.CertificateInvalidError{
			Reason: x509.CANotAuthorizedForThisName, Detail: "canary"},
	} {
		wrapped := &url.Error{Op: "Post", URL: "canary", Err: &tls.CertificateVerificationError{Err: err}}
		require.EqualError(t, failureOf(wrapped), want)
	}
}

// TestWebhookBodiesAreBounded delivers more lines than fit in one body. The receiver refuses the third request.
func TestWebhookBodiesAreBounded(t *testing.T) {
	t.Parallel()
	var requests atomic.Int64
	webhook := newWebhook(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if requests.Add(1) == 3 || len(body) > maxBody+1 {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	large := strings.Repeat("x", maxBody/4-1)
	list := lines(large, large, large, large, large, strings.Repeat("y", maxBody), "z")
	count, err := webhook.Deliver(t.Context(), list)
	require.Error(t, err)
	require.Equal(t, 5, count, "four lines, then one: the next one needs a request of its own")
	count, err = webhook.Deliver(t.Context(), list[count:])
	require.NoError(t, err)
	require.Equal(t, 2, count)
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"":                              0,
		"0":                             0,
		"12":                            12 * time.Second,
		"-5":                            0,
		"86400":                         maxRetryAfter,
		"99999999999999999999":          0,
		"Wed, 21 Oct 2026 07:28:00 GMT": 0,
	} {
		require.Equal(t, want, retryAfterOf(http.Header{"Retry-After": {text}}), text)
	}
}
