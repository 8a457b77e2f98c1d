package client

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// These are the kinds of failure, for tests with errors.Is. An error can have more than one kind: a wrong encryption
// key is both ErrEncryptionKeyMismatch and ErrForbidden.
var (
	// ErrInvalid means that the input breaks a rule. Message names the rule, and Field names the input. If the client
	// itself detects the mistake, it sends nothing and Status is 0.
	ErrInvalid = errors.New("invalid")
	// ErrUnauthenticated means that the token, password or code is missing, wrong, expired or revoked.
	ErrUnauthenticated = errors.New("unauthenticated")
	// ErrTOTPRequired means that the password is right and the user must also send a TOTP code. The error is
	// ErrUnauthenticated too.
	ErrTOTPRequired = errors.New("TOTP code required")
	// ErrForbidden means that the caller is authenticated but lacks the required role, group or permission.
	ErrForbidden = errors.New("forbidden")
	// ErrEncryptionKeyMismatch means that the entry is not encrypted under the key that the client sent. The error is
	// ErrForbidden too.
	ErrEncryptionKeyMismatch = errors.New("encryption key mismatch")
	// ErrEncryptionKeyRequired means that neither Config nor the call has an encryption key. The error is ErrInvalid
	// too.
	ErrEncryptionKeyRequired = errors.New("encryption key required")
	// ErrNotFound means that the resource does not exist or is not visible to the caller.
	ErrNotFound = errors.New("not found")
	// ErrConflict means that the current state does not allow the change: for example, a name is taken or a limit is
	// reached.
	ErrConflict = errors.New("conflict")
	// ErrPrecondition means that the entry does not meet the condition in IfMatch or IfNoneMatch. Nothing was written.
	ErrPrecondition = errors.New("precondition failed")
	// ErrNotModified means that the caller already has the version or the keyring, because IfNoneMatch names it. The
	// server therefore sent no content.
	ErrNotModified = errors.New("not modified")
	// ErrTooLarge means that the request exceeds a size limit of the server.
	ErrTooLarge = errors.New("too large")
	// ErrThrottled means that a rate limit applies after too many wrong attempts. RetryAfter is the lockout time.
	ErrThrottled = errors.New("throttled")
	// ErrUnavailable means that there is no connection or no complete response, or that the server or a proxy cannot
	// serve the request now.
	ErrUnavailable = errors.New("unavailable")
	// ErrServer means an internal error of the server. The server logs the details under RequestID.
	ErrServer = errors.New("server fault")
	// ErrBadResponse means that Lockbox did not produce the response: for example, it is a redirect, an HTML page, or
	// larger than Config.MaxResponseBytes. If a proxy sends an error status, the error also has the kind of that
	// status. For example, an error with the status 502 is also ErrUnavailable.
	ErrBadResponse = errors.New("bad response")
	// ErrOutcomeUnknown means that the client cannot know whether a change was made. Read the current state before you
	// retry. Reads never return this error.
	ErrOutcomeUnknown = errors.New("outcome unknown")
)

// Error is the error of a failed request. Test its kind with errors.Is; Code distinguishes cases within a kind. An
// Error holds no secrets: Request is a path template, and no field repeats the request body.
type Error struct {
	// Request is the method and the path template, such as "GET /boxes/{box}/entries/{key}". It is empty when the error
	// belongs to no request.
	Request string
	// Status is the HTTP status code, or 0 when there was no response.
	Status int
	// Code is the stable error code, such as "entry_not_found"; docs/http.md lists all codes. It is empty when the
	// response has no code.
	Code string
	// ID is the number errorId in an error response to a request under /api/v1. It is 0 for other requests, and for
	// responses that contain no errorId.
	ID int
	// Message describes the error for people.
	Message string
	// Field is the name of the invalid input, if there is one.
	Field string
	// RequestID identifies the request in the server's log and audit log.
	RequestID string
	// RetryAfter is the time that the server wants the client to wait before a retry. It is 0 if the server sent no
	// such time.
	RetryAfter time.Duration
	// KeyID is set only for ErrEncryptionKeyMismatch in a box with a keyring. It identifies the key under which the
	// version is encrypted. It is empty if the version was written when the box had no keyring.
	KeyID string

	kinds      []error
	cause      error
	retryable  bool // the same request may succeed later
	mayHaveRun bool // the server may have executed the request
}

// Error returns the request, the status, the code and the message in one line.
func (e *Error) Error() string {
	var text strings.Builder
	text.WriteString("client: ")
	if e.Request != "" {
		text.WriteString(e.Request + ": ")
	}
	if e.Status != 0 {
		text.WriteString(strconv.Itoa(e.Status) + " ")
		if e.Code != "" {
			text.WriteString(e.Code)
		} else {
			text.WriteString(http.StatusText(e.Status))
		}
		text.WriteString(": ")
	}
	text.WriteString(e.Message)
	if errors.Is(e, ErrOutcomeUnknown) {
		text.WriteString(" (the change may or may not have been made)")
	}
	if e.Status >= http.StatusInternalServerError && e.RequestID != "" {
		text.WriteString(" (request " + e.RequestID + ")")
	}
	return text.String()
}

// Is reports whether the error has the given kind.
func (e *Error) Is(kind error) bool { return slices.Contains(e.kinds, kind) }

// Unwrap returns the network or context error that caused the failure, such as a *net.OpError or context.Canceled. It
// returns nil for other failures.
func (e *Error) Unwrap() error { return e.cause }

// invalid returns the error for input that the client refuses before it sends anything.
func invalid(code, field, message string) *Error {
	return &Error{
		Code:    code,
		Field:   field,
		Message: message,
		kinds:   []error{ErrInvalid},
	}
}

// kindOfStatus maps an HTTP status code to the kind of failure.
func kindOfStatus(status int) error {
	switch status {
	case http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusUnsupportedMediaType,
		http.StatusExpectationFailed, http.StatusRequestHeaderFieldsTooLarge:
		return ErrInvalid
	case http.StatusUnauthorized:
		return ErrUnauthenticated
	case http.StatusForbidden:
		return ErrForbidden
	case http.StatusNotFound:
		return ErrNotFound
	case http.StatusConflict:
		return ErrConflict
	case http.StatusPreconditionFailed:
		return ErrPrecondition
	case http.StatusRequestEntityTooLarge:
		return ErrTooLarge
	case http.StatusTooManyRequests:
		return ErrThrottled
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return ErrUnavailable
	default:
		if status >= http.StatusInternalServerError {
			return ErrServer
		}
		return ErrBadResponse
	}
}

// kindOfCode maps error codes to kinds that are more precise than the kinds of status codes. An error with one of these
// codes has the kind of its code and the kind of its status. codeKind adds the codes of identities and keyrings to this
// map.
var kindOfCode = map[string]error{
	"encryption_key_mismatch": ErrEncryptionKeyMismatch,
	"encryption_key_required": ErrEncryptionKeyRequired,
	"totp_required":           ErrTOTPRequired,
	"outcome_unknown":         ErrOutcomeUnknown,
}

// accountsErrors maps each errorId of the accounts API to the code and the kind that other requests have for the same
// failure. In the accounts API, the status code does not determine the kind: for example, errorId 902 is a failed
// sign-in, but its status is 400.
var accountsErrors = map[int]struct {
	code string
	kind error
}{
	404: {"route_not_found", ErrNotFound},
	900: {"droplet_host_refused", ErrConflict},
	901: {"sign_in_incomplete", ErrInvalid},
	902: {"wrong_credentials", ErrUnauthenticated},
	903: {"user_not_found", ErrNotFound},
	904: {"owner_only", ErrForbidden},
	905: {"unknown_group", ErrInvalid},
	906: {"second_owner", ErrConflict},
	908: {"unauthenticated", ErrUnauthenticated},
	909: {"token_expired", ErrUnauthenticated},
	910: {"refresh_token_not_found", ErrUnauthenticated},
	912: {"group_too_low", ErrForbidden},
	913: {"account_incomplete", ErrInvalid},
	914: {"user_exists", ErrConflict},
}
