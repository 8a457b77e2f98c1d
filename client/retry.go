package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// do sends a request. It repeats the request while a retry is safe and useful. It sends the request at most
// Config.MaxAttempts times, and stops when ctx ends. The package documentation states when a retry is safe. The error
// is an *Error.
func (c *Client) do(ctx context.Context, k call) (*response, error) {
	p, failure := c.prepare(k)
	if failure != nil {
		return nil, failure
	}
	mayHaveRun := false // true once an attempt may have taken effect
	for attempt := 1; ; attempt++ {
		got, failure := c.attempt(ctx, p)
		if failure == nil {
			return got, nil
		}
		if mayHaveRun && slices.Contains(k.alreadyDone, failure.Code) {
			return &response{header: http.Header{}}, nil // an earlier attempt worked and its response was lost
		}
		mayHaveRun = mayHaveRun || failure.mayHaveRun
		wait, retry := c.retryDelay(ctx, p, failure, attempt)
		if !retry {
			return nil, failure.withOutcome(mayHaveRun && !k.readOnly())
		}
		if err := sleep(ctx, wait); err != nil {
			failure.Message = "stopped waiting for a retry: " + err.Error() + "; " + failure.Message
			failure.cause = errors.Join(err, failure.cause)
			return nil, failure.withOutcome(mayHaveRun && !k.readOnly())
		}
	}
}

// withOutcome marks the error as ErrOutcomeUnknown if unknown is true, that is, if an attempt may have taken effect.
// Such an error is not ErrPrecondition, because the client's own earlier attempt may have made the condition fail.
func (e *Error) withOutcome(unknown bool) *Error {
	if unknown && !slices.Contains(e.kinds, ErrOutcomeUnknown) {
		e.kinds = append(e.kinds, ErrOutcomeUnknown)
		e.kinds = slices.DeleteFunc(e.kinds, func(kind error) bool { return errors.Is(kind, ErrPrecondition) })
	}
	return e
}

// retryDelay decides whether to retry after a failed attempt, and how long to wait before the retry. The wait doubles
// with each attempt. retryDelay shortens each wait at random, by at most half. There is no retry if Retry-After exceeds
// Config.MaxRetryWait, or if the wait would end after the deadline of ctx. The caller then gets the server's error
// immediately.
func (c *Client) retryDelay(ctx context.Context, p *preparedCall, failure *Error, attempt int) (time.Duration, bool) {
	if p.noRetry || !failure.retryable || attempt >= c.config.MaxAttempts || ctx.Err() != nil ||
		failure.mayHaveRun && !p.idempotent {
		return 0, false
	}
	wait := min(c.config.RetryWait<<min(attempt-1, 20), c.config.MaxRetryWait)
	wait = wait/2 + rand.N(wait/2+1) //nolint:gosec // jitter needs no secure randomness
	if failure.RetryAfter > wait {
		wait = failure.RetryAfter
	}
	if wait > c.config.MaxRetryWait {
		return 0, false
	}
	deadline, bounded := ctx.Deadline()
	return wait, !bounded || time.Until(deadline) > wait
}

// notExecuted lists codes of server errors (status 5xx). A request that fails with such a code has changed nothing on
// the server.
var notExecuted = map[string]bool{"busy": true, "database_unavailable": true, "draining": true, "tampered": true}

// sleep waits for the given time. If ctx ends first, it returns ctx's error immediately.
func sleep(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// attempt sends a request once, within Config.AttemptTimeout.
func (c *Client) attempt(ctx context.Context, p *preparedCall) (*response, *Error) {
	if ctx.Err() != nil {
		failure := c.transportError(ctx, ctx, p, ctx.Err())
		failure.mayHaveRun = false
		return nil, failure
	}
	bounded, cancel := context.WithTimeout(ctx, c.config.AttemptTimeout)
	defer cancel()
	request, err := c.newRequest(bounded, p)
	if err != nil {
		return nil, &Error{Request: p.name(), Message: "the request cannot be built", kinds: []error{ErrInvalid}}
	}
	got, err := c.http.Do(request)
	if err != nil {
		return nil, c.transportError(ctx, bounded, p, err)
	}
	defer func() { _ = got.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(got.Body, c.config.MaxResponseBytes+1))
	switch {
	case err != nil:
		failure := c.transportError(ctx, bounded, p, err)
		failure.Message = "the response was cut short: " + failure.Message
		return nil, failure
	case int64(len(body)) > c.config.MaxResponseBytes:
		failure := badResponse(p.call, fmt.Sprintf(
			"the response is larger than %d bytes: if you expect a response of this size, raise MaxResponseBytes",
			c.config.MaxResponseBytes))
		failure.Status = got.StatusCode
		return nil, failure
	case got.StatusCode == p.want, p.orWant != 0 && got.StatusCode == p.orWant:
		return &response{got.Header, body}, nil
	default:
		return nil, statusError(p, got, body)
	}
}

// transportError describes an attempt that got no complete response. The argument ctx is the context of the call. The
// argument bounded is a context derived from ctx that ends after Config.AttemptTimeout at the latest. transportError
// unwraps a *url.Error, because its text contains the URL, and the URL contains names of boxes and entries.
func (c *Client) transportError(ctx, bounded context.Context, p *preparedCall, err error) *Error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	failure := &Error{
		Request:    p.name(),
		RequestID:  p.id,
		cause:      err,
		Message:    printable(err.Error()),
		retryable:  true,
		mayHaveRun: !notSent(err),
	}
	switch {
	case ctx.Err() != nil:
		failure.Message, failure.cause, failure.retryable = ctx.Err().Error(), ctx.Err(), false
		if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, ctx.Err()) {
			failure.cause = errors.Join(ctx.Err(), cause)
		}
		return failure
	case bounded.Err() != nil:
		failure.Message = "no response within " + c.config.AttemptTimeout.String()
	case untrusted(err):
		failure.retryable = false
	case strings.Contains(err.Error(), "malformed"):
		// net/http quotes the line that it cannot parse. The line may be a header with a token.
		failure.cause = nil
		failure.Message = "the response is not HTTP: check that Config.URL is the address of a Lockbox server"
	}
	failure.kinds = []error{ErrUnavailable}
	return failure
}

// notSent reports whether the connection failed before the client sent any part of the request to the server.
func notSent(err error) bool {
	failed, ok := errors.AsType[*net.OpError](err)
	return ok && (failed.Op == "dial" || failed.Op == "proxyconnect") || untrusted(err)
}

// untrusted reports whether the connection failed because the server does not use TLS or because its certificate is not
// valid. A retry would fail in the same way.
func untrusted(err error) bool {
	_, certificate := errors.AsType[*tls.CertificateVerificationError](err)
	_, record := errors.AsType[tls.RecordHeaderError](err)
	_, host := errors.AsType[x509.HostnameError](err)
	return certificate || record || host
}
