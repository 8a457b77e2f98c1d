package auditstream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

const (
	// maxBody is the maximum size of a request with several lines, in bytes. Most log receivers accept at least a
	// megabyte.
	maxBody = 256 << 10
	// maxAnswer is the maximum number of bytes that are read from a response body. The body is read only so that the
	// connection can be used again.
	maxAnswer = 64 << 10
	// maxRetryAfter is the longest wait that a receiver can request with Retry-After.
	maxRetryAfter = 5 * time.Minute
)

// WebhookConfig describes a Webhook.
type WebhookConfig struct {
	URL string
	// HeaderName and HeaderValue form a header that authenticates Lockbox to the receiver. If they are empty, no header
	// is sent.
	HeaderName, HeaderValue string
	UserAgent               string
}

// Webhook delivers events in POST requests. The body of a request consists of JSON lines (application/x-ndjson).
type Webhook struct {
	config WebhookConfig
	client *http.Client
}

// NewWebhook returns a destination that sends requests. The destination follows no redirects, because a redirect would
// send the events and the header to another address.
func NewWebhook(config WebhookConfig) *Webhook {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 1
	transport.MaxResponseHeaderBytes = maxResponseHeader
	return &Webhook{config: config, client: &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Deliver sends the lines in several requests, one after the other. A request has at most maxBody bytes, unless it
// consists of a single longer line.
func (w *Webhook) Deliver(ctx context.Context, lines [][]byte) (delivered int, err error) {
	for delivered < len(lines) {
		size, end := len(lines[delivered]), delivered+1
		for end < len(lines) && size+len(lines[end]) <= maxBody {
			size += len(lines[end])
			end++
		}
		if err := w.post(ctx, bytes.Join(lines[delivered:end], nil)); err != nil {
			return delivered, err
		}
		delivered = end
	}
	return delivered, nil
}

// post sends one request. Its errors do not contain the URL or the response. The query string of the URL may contain a
// secret.
func (w *Webhook) post(ctx context.Context, body []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.config.URL, bytes.NewReader(body))
	if err != nil {
		return errors.New("the URL of the webhook is malformed")
	}
	request.Header.Set("Content-Type", "application/x-ndjson")
	request.Header.Set("User-Agent", w.config.UserAgent)
	if w.config.HeaderName != "" {
		request.Header.Set(w.config.HeaderName, w.config.HeaderValue)
	}
	response, err := w.client.Do(request)
	if err != nil {
		return fmt.Errorf("the request to the webhook failed: %w", failureOf(err))
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.CopyN(io.Discard, response.Body, maxAnswer) // only the status matters
	if response.StatusCode/100 == 2 {
		return nil
	}
	return &statusError{status: response.StatusCode, retryAfter: retryAfterOf(response.Header)}
}

// Close closes the idle connections.
func (w *Webhook) Close() error {
	w.client.CloseIdleConnections()
	return nil
}

// statusError means that the webhook answered with a status other than 2xx.
type statusError struct {
	status int
	// retryAfter is the wait that the receiver requested, or 0.
	retryAfter time.Duration
}

// Error returns the status and, if a setting of Lockbox is probably wrong, the name of that setting.
func (e *statusError) Error() string {
	text := "the webhook answered with status " + strconv.Itoa(e.status)
	switch {
	case e.status/100 == 3:
		return text + ": Lockbox does not follow redirects; set LOCKBOX_AUDIT_STREAM to the final URL"
	case e.status == http.StatusUnauthorized || e.status == http.StatusForbidden:
		return text + ": check LOCKBOX_AUDIT_STREAM_HEADER"
	default:
		return text
	}
}

// retryAfterOf returns the wait in a Retry-After header, at most maxRetryAfter. It returns 0 if the header is missing
// or contains a date instead of a number of seconds. Dates are not supported, because they are rare and require the
// clocks of both machines to agree.
func retryAfterOf(header http.Header) time.Duration {
	seconds, err := strconv.Atoi(header.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(min(seconds, 3600))*time.Second, maxRetryAfter)
}

// retryAfter returns the wait that a receiver requested before the next attempt, or 0.
func retryAfter(err error) time.Duration {
	if failed, ok := errors.AsType[*statusError](err); ok {
		return failed.retryAfter
	}
	return 0
}
