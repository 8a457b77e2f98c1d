package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// How an error becomes a response:
//
//  1. A rule of the domain, a use case or a handler returns a *domain.Error with a kind and a stable code.
//  2. Handlers and middleware return errors unchanged. They do not log or wrap these errors.
//  3. API.refusal turns any error into a *domain.Error that the client may see. statusFor returns the status for the
//     kind or code of this error. The contract of the path writes the response.
//
// Errors from other sources, such as the database, are logged once here and become a fixed message with status 500.

const contentTypeProblem = "application/problem+json"

// problem is the body of an error response of the Lockbox API. It is a problem document (RFC 9457) with two additional
// fields: a stable code and a list of messages.
type problem struct {
	Type     string    `json:"type"`
	Title    string    `json:"title"`
	Status   int       `json:"status"`
	Detail   string    `json:"detail"`
	Instance string    `json:"instance"`
	Code     string    `json:"code"`
	Errors   []message `json:"errors"`
}

// message has the format that clients of the original API expect. It is a sentence and, for invalid input, the name of
// the input field.
type message struct {
	Message string `json:"message"`
	Field   string `json:"field,omitempty"`
}

// statusOf maps kinds of domain errors to status codes. The zero kind and kinds that are not in the map get the status
// 500.
var statusOf = map[domain.Kind]int{
	domain.Invalid:         http.StatusBadRequest,
	domain.Unauthenticated: http.StatusUnauthorized,
	domain.Forbidden:       http.StatusForbidden,
	domain.NotFound:        http.StatusNotFound,
	domain.Conflict:        http.StatusConflict,
	domain.Precondition:    http.StatusPreconditionFailed,
	domain.TooLarge:        http.StatusRequestEntityTooLarge,
	domain.Unsupported:     http.StatusUnsupportedMediaType,
	domain.RateLimited:     http.StatusTooManyRequests,
	domain.Unavailable:     http.StatusServiceUnavailable,
}

const (
	codeMethodNotAllowed  = "method_not_allowed"
	codeConditionRequired = "condition_required"
	codeClientClosed      = "client_closed_request"
	// codeOutcomeUnknown is the error code for a request that may or may not have taken effect. ports.UnitOfWork
	// returns an error with this code if it does not know whether a commit succeeded.
	codeOutcomeUnknown = "outcome_unknown"
	// statusClientClosed is the status of a request whose client disconnected before the response. The status is not
	// standard, but nginx uses it too. Because the status is below 500, logs and metrics do not count such requests as
	// server errors.
	statusClientClosed = 499
)

// statusOfCode contains the statuses of error codes that concern only HTTP and fit no kind of domain error.
var statusOfCode = map[string]int{
	codeMethodNotAllowed:    http.StatusMethodNotAllowed,
	codeConditionRequired:   http.StatusPreconditionRequired,
	codeClientClosed:        statusClientClosed,
	codeExpectation:         http.StatusExpectationFailed,
	codeHeaderTooLarge:      http.StatusRequestHeaderFieldsTooLarge,
	codeUnsupportedEncoding: http.StatusNotImplemented,
	codeUnsupportedVersion:  http.StatusHTTPVersionNotSupported,
}

// errClientClosed is the error of a request whose client disconnected; see half_close.go. Lockbox writes the response,
// but the client usually does not receive it.
var errClientClosed = domain.Refuse(domain.Invalid, codeClientClosed,
	"the client closed the connection before the response: the request may or may not have taken effect")

// writeError writes an error as the response, unless the response has already started.
func (a *API) writeError(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	refusal := a.refusal(c, err)
	a.contract(c).writeError(c, refusal, statusFor(refusal))
}

func statusFor(refusal *domain.Error) int {
	if status, ok := statusOfCode[refusal.Code]; ok {
		return status
	}
	if status, ok := statusOf[refusal.Kind]; ok {
		return status
	}
	return http.StatusInternalServerError
}

// titleOf returns the name of a status.
func titleOf(status int) string {
	if status == statusClientClosed {
		return "Client Closed Request"
	}
	return http.StatusText(status)
}

// contract returns the contract of the route. If no route matches, it returns the contract of the path.
func (a *API) contract(c echo.Context) contract {
	if contract, ok := a.contracts[c.Path()]; ok {
		return contract
	}
	return contractOf(c.Request().URL.Path)
}

// writeError writes a problem document.
func (lockboxAPI) writeError(c echo.Context, refusal *domain.Error, status int) {
	setErrorHeaders(c, refusal, status)
	// The request id lets an operator find the request in the log and in the audit log.
	body, _ := json.Marshal(problem{ // strings and an int always encode
		Type:     "about:blank",
		Title:    titleOf(status),
		Status:   status,
		Detail:   refusal.Message,
		Instance: "urn:lockbox:request:" + c.Response().Header().Get(echo.HeaderXRequestID),
		Code:     refusal.Code,
		Errors:   []message{{Message: refusal.Message, Field: refusal.Field}},
	})
	_ = blob(c, status, contentTypeProblem, body) // fails only if the client is disconnected
}

// setErrorHeaders sets the headers that an error response with this status needs. Both contracts use it.
func setErrorHeaders(c echo.Context, refusal *domain.Error, status int) {
	header := c.Response().Header()
	if status == http.StatusUnauthorized {
		header.Set(echo.HeaderWWWAuthenticate, "Bearer")
	}
	retryAfter := refusal.RetryAfter
	if status == http.StatusServiceUnavailable {
		retryAfter = max(retryAfter, time.Second)
	}
	if retryAfter > 0 {
		header.Set(echo.HeaderRetryAfter, strconv.FormatInt(int64(retryAfter/time.Second), 10))
	}
}

// refusal converts any error into an error that the client may see. It logs each failure of the server once. It does
// not log errors that the client caused.
func (a *API) refusal(c echo.Context, err error) *domain.Error {
	// The log names the template of the route instead of the path, because a path may contain a token.
	log := a.log.With(slog.String("request_id", c.Response().Header().Get(echo.HeaderXRequestID)),
		slog.String("route", a.routeOf(c)))
	// Check for tampering first, because an error of another kind may wrap the tampering error. The operator must see
	// the tampering error.
	if ports.IsTampered(err) {
		log.Error("stored data failed authentication: it was changed outside of Lockbox", slog.Any("error", err))
		return domain.Refuse(0, "tampered", "stored data failed authentication: report this to the operator")
	}
	if cancelled(c, err) {
		return errClientClosed
	}
	if endedByDeadline(c.Request().Context(), err) {
		err = timeoutRefusal(c.Request().Method).Because(err)
	}
	if refusal, ok := errors.AsType[*domain.Error](err); ok {
		if refusal.Kind == domain.Unavailable {
			log.Warn("unavailable", slog.Any("error", err))
		}
		return onTheWire(refusal)
	}
	if fromEcho, ok := errors.AsType[*echo.HTTPError](err); ok {
		if fromEcho.Code == http.StatusMethodNotAllowed {
			return domain.Refuse(domain.Invalid, codeMethodNotAllowed, "this path does not support the method")
		}
		return domain.Refuse(domain.NotFound, "route_not_found", "no route matches this path")
	}
	log.Error("internal error", slog.Any("error", err))
	return domain.Refuse(0, "internal_error",
		"internal server error: the server's log has details under the id of this request")
}

// cancelled reports whether a request failed because its client disconnected. A disconnection cancels the context of
// the request. A wait for a lock, a batch, a key derivation or the database then returns an Unavailable error, although
// the server has not failed.
//
// Two errors are failures of the server even if the client has disconnected. The first is a commit with an unknown
// outcome, because a disconnection does not cancel a commit. The second is a request that has reached its deadline.
func cancelled(c echo.Context, err error) bool {
	if timedOut(c.Request().Context()) {
		return false
	}
	if errors.Is(err, context.Canceled) {
		return true
	}
	return c.Request().Context().Err() != nil && errors.Is(err, domain.Unavailable) &&
		domain.CodeOf(err) != codeOutcomeUnknown
}
