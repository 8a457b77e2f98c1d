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

const contentTypeProblem = "application/problem+json"

// problem is an error as clients read it: RFC 9457 with a stable code and a list of messages.
type problem struct {
	Type     string    `json:"type"`
	Title    string    `json:"title"`
	Status   int       `json:"status"`
	Detail   string    `json:"detail"`
	Instance string    `json:"instance"`
	Code     string    `json:"code"`
	Errors   []message `json:"errors"`
}

type message struct {
	Message string `json:"message"`
	Field   string `json:"field,omitempty"`
}

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

// writeError answers with an error. It is the only place that knows status codes, and the only one that logs a failure.
func (a *API) writeError(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	refusal := a.refusal(c, err)
	status, known := statusOf[refusal.Kind]
	if !known {
		status = http.StatusInternalServerError
	}
	if refusal.Code == codeMethodNotAllowed {
		status = http.StatusMethodNotAllowed
	}
	if isAccountsAPI(c) {
		writeAccountsError(c, refusal, status)
		return
	}
	setErrorHeaders(c, refusal, status)
	body, _ := json.Marshal(problem{
		Type:     "about:blank",
		Title:    http.StatusText(status),
		Status:   status,
		Detail:   refusal.Message,
		Instance: "urn:lockbox:request:" + c.Response().Header().Get(echo.HeaderXRequestID),
		Code:     refusal.Code,
		Errors:   []message{{Message: refusal.Message, Field: refusal.Field}},
	})
	_ = c.Blob(status, contentTypeProblem, body)
}

// setErrorHeaders sets what a status says beside the body, in both contracts.
func setErrorHeaders(c echo.Context, refusal *domain.Error, status int) {
	header := c.Response().Header()
	if status == http.StatusUnauthorized {
		header.Set(echo.HeaderWWWAuthenticate, "Bearer")
	}
	wait := refusal.RetryAfter
	if status == http.StatusServiceUnavailable {
		wait = max(wait, time.Second)
	}
	if wait > 0 {
		header.Set(echo.HeaderRetryAfter, strconv.FormatInt(int64(wait/time.Second), 10))
	}
}

const codeMethodNotAllowed = "method_not_allowed"

// refusal turns any error into one that may be shown. What is none of the domain's is logged here, once, and shown as
// a fixed sentence.
func (a *API) refusal(c echo.Context, err error) *domain.Error {
	log := a.Log.With(slog.String("request_id", c.Response().Header().Get(echo.HeaderXRequestID)),
		slog.String("route", a.routeOf(c)))
	if ports.IsTampered(err) {
		log.Error("stored data do not authenticate: somebody changed them behind the server's back",
			slog.Any("error", err))
		return domain.Refuse(0, "tampered", "what is stored does not authenticate; tell whoever runs this server")
	}
	if refusal, ok := errors.AsType[*domain.Error](err); ok {
		if refusal.Kind == domain.Unavailable {
			log.Warn("unavailable", slog.Any("error", err))
		}
		return refusal
	}
	if fromEcho, ok := errors.AsType[*echo.HTTPError](err); ok {
		if fromEcho.Code == http.StatusMethodNotAllowed {
			return domain.Refuse(domain.Invalid, codeMethodNotAllowed, "this path does not know the method")
		}
		return domain.Refuse(domain.NotFound, "route_not_found", "there is no such path")
	}
	if errors.Is(err, context.Canceled) {
		return domain.ErrBusy // whoever asked is gone
	}
	log.Error("internal error", slog.Any("error", err))
	return domain.Refuse(0, "internal_error",
		"something went wrong on the server; its log says more under this request's id")
}
