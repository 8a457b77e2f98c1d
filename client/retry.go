package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// do sends a request until it works, until sending it again could do harm or no good, or until attempts, patience or ctx
// are at an end. The error is an *Error.
func (c *Client) do(ctx context.Context, k call) (*answer, error) {
	p, mistake := c.pack(k)
	if mistake != nil {
		return nil, mistake
	}
	unclear := false // an attempt may have worked
	for attempt := 1; ; attempt++ {
		got, failure := c.attempt(ctx, p)
		if failure == nil {
			return got, nil
		}
		if unclear && slices.Contains(k.gone, failure.Code) {
			return &answer{header: http.Header{}}, nil // an earlier attempt did it, and its answer was lost
		}
		unclear = unclear || failure.unclear
		wait, again := c.patience(ctx, p, failure, attempt)
		if !again {
			return nil, failure.after(unclear && !k.reads())
		}
		if err := sleep(ctx, wait); err != nil {
			failure.Message = "gave up waiting to try again: " + err.Error() + "; " + failure.Message
			failure.cause = errors.Join(err, failure.cause)
			return nil, failure.after(unclear && !k.reads())
		}
	}
}

// after adds to a failure what is known from the attempts before it. That a condition does not hold says nothing then:
// it may be the own write that broke it.
func (e *Error) after(unclear bool) *Error {
	if unclear && !slices.Contains(e.kinds, ErrOutcomeUnknown) {
		e.kinds = append(e.kinds, ErrOutcomeUnknown)
		e.kinds = slices.DeleteFunc(e.kinds, func(kind error) bool { return errors.Is(kind, ErrPrecondition) })
	}
	return e
}

// patience decides whether to try again, and after how long.
func (c *Client) patience(ctx context.Context, p *parcel, failure *Error, attempt int) (time.Duration, bool) {
	if p.once || !failure.worth || attempt >= c.config.MaxAttempts || ctx.Err() != nil || failure.unclear && !p.again {
		return 0, false
	}
	wait := min(c.config.RetryWait<<min(attempt-1, 20), c.config.MaxRetryWait)
	wait = wait/2 + rand.N(wait/2+1) //nolint:gosec // spreads the load, and is no secret
	if failure.RetryAfter > wait {
		wait = failure.RetryAfter
	}
	if wait > c.config.MaxRetryWait {
		return 0, false
	}
	deadline, bounded := ctx.Deadline()
	return wait, !bounded || time.Until(deadline) > wait
}

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

// attempt sends a request once.
func (c *Client) attempt(ctx context.Context, p *parcel) (*answer, *Error) {
	if ctx.Err() != nil {
		failure := c.lost(ctx, ctx, p, ctx.Err())
		failure.unclear = false
		return nil, failure
	}
	bounded, cancel := context.WithTimeout(ctx, c.config.AttemptTimeout)
	defer cancel()
	request, err := c.request(bounded, p)
	if err != nil {
		return nil, &Error{Request: p.name(), Message: "the request cannot be made", kinds: []error{ErrInvalid}}
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, c.lost(ctx, bounded, p, err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, c.config.MaxAnswerBytes+1))
	switch {
	case err != nil:
		failure := c.lost(ctx, bounded, p, err)
		failure.Message = "the answer broke off: " + failure.Message
		return nil, failure
	case int64(len(body)) > c.config.MaxAnswerBytes:
		failure := badAnswer(p.call,
			fmt.Sprintf("the answer is larger than %d bytes: raise MaxAnswerBytes if that is right",
				c.config.MaxAnswerBytes))
		failure.Status = response.StatusCode
		return nil, failure
	case response.StatusCode == p.want:
		return &answer{response.Header, body}, nil
	default:
		return nil, refused(p, response, body)
	}
}

// lost is the failure to get an answer. net/http wraps such errors with the URL, which is taken off: it holds names.
func (c *Client) lost(ctx, bounded context.Context, p *parcel, err error) *Error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	failure := &Error{
		Request:   p.name(),
		RequestID: p.id,
		cause:     err,
		Message:   printable(err.Error()),
		worth:     true,
		unclear:   !unsent(err),
	}
	switch {
	case ctx.Err() != nil: // the caller's own time is up
		failure.Message, failure.cause, failure.worth = ctx.Err().Error(), ctx.Err(), false
		if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, ctx.Err()) {
			failure.cause = errors.Join(ctx.Err(), cause)
		}
		return failure
	case bounded.Err() != nil:
		failure.Message = "no answer within " + c.config.AttemptTimeout.String()
	case untrusted(err):
		failure.worth = false
	case strings.Contains(err.Error(), "malformed"):
		// net/http quotes the line that it cannot read, which may be a header with a token.
		failure.Message, failure.cause = "the answer is not HTTP: is URL the address of a Lockbox server?", nil
	}
	failure.kinds = []error{ErrUnavailable}
	return failure
}

// unsent reports whether the connection was never made, so that nothing of the request can have arrived.
func unsent(err error) bool {
	failed, ok := errors.AsType[*net.OpError](err)
	return ok && (failed.Op == "dial" || failed.Op == "proxyconnect") || untrusted(err)
}

// untrusted reports whether the server could not show who it is. Trying again does not change that.
func untrusted(err error) bool {
	_, certificate := errors.AsType[*tls.CertificateVerificationError](err)
	_, record := errors.AsType[tls.RecordHeaderError](err)
	_, host := errors.AsType[x509.HostnameError](err)
	return certificate || record || host
}

// refused reads an answer with another status than the one that was wanted.
func refused(p *parcel, response *http.Response, body []byte) *Error {
	status := response.StatusCode
	failure := &Error{
		Request:    p.name(),
		Status:     status,
		RequestID:  p.id,
		RetryAfter: retryAfter(response.Header),
	}
	if id := response.Header.Get("X-Request-Id"); id != "" {
		failure.RequestID = printable(id)
	}
	kind := kindOfStatus(status)
	known := failure.read(p, body)
	switch {
	case status < http.StatusMultipleChoices:
		failure.Message = "the answer has another status than Lockbox gives: is URL the address of a Lockbox server?"
	case status < http.StatusBadRequest:
		failure.Message = "the server redirects, and redirects are not followed: set URL to " + redirectTarget(response)
	case !known:
		failure.Message = "the answer is not from Lockbox, or from a proxy before it"
	}
	if line, ok := accountErrors[failure.ID]; ok && known && p.account() {
		failure.Code, kind = line.code, line.kind
		if failure.ID == 900 && strings.Contains(failure.Message, "No such container") {
			failure.Code, kind = "droplet_not_found", ErrNotFound
		}
	}
	failure.kinds = []error{kind}
	if more := kindOfCode[failure.Code]; more != nil {
		failure.kinds = append(failure.kinds, more)
	}
	failure.worth = errors.Is(kind, ErrThrottled) || errors.Is(kind, ErrUnavailable)
	failure.unclear = status < http.StatusMultipleChoices ||
		status >= http.StatusInternalServerError && !undone[failure.Code]
	return failure
}

// undone are the codes with which Lockbox says, of a server's error, that nothing was done.
var undone = map[string]bool{"busy": true, "database_unavailable": true, "draining": true, "tampered": true}

// read takes what the body says, and reports whether it is an error as Lockbox writes it.
func (e *Error) read(p *parcel, body []byte) bool {
	var said struct {
		Code   string `json:"code"`
		Detail string `json:"detail"`
		Errors []struct {
			Field string `json:"field"`
		} `json:"errors"`
		Error string `json:"error"`
		ID    int    `json:"errorId"`
	}
	if json.Unmarshal(body, &said) != nil {
		return false
	}
	if p.account() {
		e.ID, e.Message = said.ID, printable(said.Error)
		return said.Error != ""
	}
	e.Code, e.Message = printable(said.Code), printable(said.Detail)
	if len(said.Errors) > 0 {
		e.Field = printable(said.Errors[0].Field)
	}
	return e.Code != ""
}

// printable keeps a line that somebody else wrote from playing with a terminal or filling a log.
func printable(text string) string {
	const most = 1000
	text = strings.Map(func(r rune) rune {
		if !strconv.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

// redirectTarget names the server that a redirect is to, and nothing of the path, which may hold what was sent.
func redirectTarget(response *http.Response) string {
	to, err := response.Location()
	if err != nil || to.Host == "" {
		return "where it really is"
	}
	return printable(to.Scheme + "://" + to.Host)
}

// retryAfter reads Retry-After, which is seconds or a date (RFC 9110, 10.2.3).
func retryAfter(header http.Header) time.Duration {
	text := header.Get("Retry-After")
	if seconds, err := strconv.ParseInt(text, 10, 32); err == nil && seconds >= 0 {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}
