package client

import (
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// response is a response with the expected status code.
type response struct {
	header http.Header
	body   []byte
}

// checkJSON refuses a response that comes from a proxy or another program instead of Lockbox.
func (r *response) checkJSON(k call) *Error {
	media, _, _ := mime.ParseMediaType(r.header.Get("Content-Type"))
	if media != "application/json" || !json.Valid(r.body) {
		return badResponse(k, "the response is not JSON: check that Config.URL is the address of a Lockbox server")
	}
	return nil
}

// badResponse returns the error for a response that has the expected status but invalid content.
func badResponse(k call, message string) *Error {
	failure := &Error{
		Request: k.name(),
		Status:  k.want,
		Message: message,
		kinds:   []error{ErrBadResponse},
	}
	if !k.readOnly() {
		failure.kinds = append(failure.kinds, ErrOutcomeUnknown)
	}
	return failure
}

// statusError turns a response with an unexpected status code into an error.
func statusError(p *preparedCall, got *http.Response, body []byte) *Error {
	status := got.StatusCode
	failure := &Error{
		Request:    p.name(),
		Status:     status,
		RequestID:  p.id,
		RetryAfter: retryAfter(got.Header),
		KeyID:      printable(got.Header.Get(keyIDHeader)),
	}
	if id := got.Header.Get("X-Request-Id"); id != "" {
		failure.RequestID = printable(id)
	}
	kind := kindOfStatus(status)
	fromLockbox := failure.decode(p, body)
	switch {
	case status < http.StatusMultipleChoices:
		failure.Message = "unexpected status code: check that Config.URL is the address of a Lockbox server"
	case status == http.StatusNotModified && p.header.Get("If-None-Match") != "":
		failure.Message, kind = "the version has not changed", ErrNotModified
	case status < http.StatusBadRequest:
		failure.Message = "the server redirects, and the client does not follow redirects: set URL to " +
			redirectTarget(got)
	case !fromLockbox:
		failure.Message = "the response does not come from Lockbox: " + proxyRemedy(status)
	}
	if line, ok := accountsErrors[failure.ID]; ok && fromLockbox && p.accountsAPI() {
		failure.Code, kind = line.code, line.kind
		if failure.ID == 900 && strings.Contains(failure.Message, "No such container") {
			failure.Code, kind = "droplet_not_found", ErrNotFound
		}
	}
	failure.kinds = []error{kind}
	if !fromLockbox {
		failure.kinds = append(failure.kinds, ErrBadResponse)
	}
	if more := kindOfCode[failure.Code]; more != nil {
		failure.kinds = append(failure.kinds, more)
	}
	failure.retryable = errors.Is(kind, ErrThrottled) || errors.Is(kind, ErrUnavailable)
	failure.mayHaveRun = status < http.StatusMultipleChoices ||
		status >= http.StatusInternalServerError && !notExecuted[failure.Code]
	return failure
}

// proxyRemedy returns the remedy for an error response that a proxy or another program wrote.
func proxyRemedy(status int) string {
	switch status {
	case http.StatusRequestEntityTooLarge:
		return "a proxy limits the size of requests; " +
			"send a smaller request, or raise the limit of the proxy (client_max_body_size in nginx)"
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return "a proxy cannot reach the server; check that the server runs, and try again later"
	case http.StatusTooManyRequests:
		return "a proxy limits the rate of requests; send fewer requests, or raise the limit of the proxy"
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired:
		return "a proxy refuses the request; " +
			"check the access rules of the proxy, and whether the proxy forwards the Authorization header"
	default:
		return "check URL and the proxies in front of the server"
	}
}

// decode sets the fields of the error from a response body. It reports whether the body comes from Lockbox. Lockbox
// sends errors as problem+json (RFC 9457), and errors of the accounts API as {"error","errorId"}.
func (e *Error) decode(p *preparedCall, body []byte) bool {
	var problem struct {
		Code   string `json:"code"`
		Detail string `json:"detail"`
		Errors []struct {
			Field string `json:"field"`
		} `json:"errors"`
		Error string `json:"error"`
		ID    int    `json:"errorId"`
	}
	if json.Unmarshal(body, &problem) != nil {
		return false
	}
	if p.accountsAPI() {
		e.ID, e.Message = problem.ID, printable(problem.Error)
		return problem.Error != ""
	}
	e.Code, e.Message = printable(problem.Code), printable(problem.Detail)
	if len(problem.Errors) > 0 {
		e.Field = printable(problem.Errors[0].Field)
	}
	return e.Code != ""
}

// printable makes text from the network safe for terminals and logs. It replaces control characters and invisible
// characters with spaces. (Some invisible characters change the direction of text.) printable cuts the text after 1,000
// bytes.
func printable(text string) string {
	const maxBytes = 1000
	text = strings.Map(func(r rune) rune {
		if !strconv.IsPrint(r) ||
			unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) {
			return ' '
		}
		return r
	}, text)
	if len(text) > maxBytes {
		text = strings.ToValidUTF8(text[:maxBytes], "") + "…"
	}
	return text
}

// redirectTarget returns the scheme and host that a redirect points to. It omits the path, which may repeat a name from
// the request.
func redirectTarget(got *http.Response) string {
	to, err := got.Location()
	if err != nil || to.Host == "" {
		return "the final address"
	}
	return printable(to.Scheme + "://" + to.Host)
}

// retryAfter parses Retry-After, which is a number of seconds or a date (RFC 9110, section 10.2.3). It returns 0 when
// the header is missing or malformed.
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
