package client

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The kinds of failure, for errors.Is. An error can be of more than one: a wrong encryption key is
// ErrEncryptionKeyMismatch and ErrForbidden.
var (
	// ErrInvalid: what was asked for breaks a rule; Message says which, and Field where. The client finds some of it
	// before anything is sent, and Status is 0 then.
	ErrInvalid = errors.New("invalid")
	// ErrUnauthenticated: the token, password or code is missing, wrong, expired or revoked.
	ErrUnauthenticated = errors.New("unauthenticated")
	// ErrCodeRequired: the password is right, and the account wants a one-time code too. Also ErrUnauthenticated.
	ErrCodeRequired = errors.New("one-time code required")
	// ErrForbidden: known, but not allowed.
	ErrForbidden = errors.New("forbidden")
	// ErrEncryptionKeyMismatch: the entry is encrypted under another key. Also ErrForbidden.
	ErrEncryptionKeyMismatch = errors.New("encryption key mismatch")
	// ErrEncryptionKeyRequired: no encryption key, neither in Config nor with the call. Also ErrInvalid.
	ErrEncryptionKeyRequired = errors.New("encryption key required")
	// ErrNotFound: not there, or not for this user to know of.
	ErrNotFound = errors.New("not found")
	// ErrConflict: the present state does not admit the change; a name is taken, a limit is reached.
	ErrConflict = errors.New("conflict")
	// ErrPrecondition: the entry is not as IfMatch or IfNoneMatch asks. Nothing was written.
	ErrPrecondition = errors.New("precondition failed")
	// ErrTooLarge: more than the server accepts.
	ErrTooLarge = errors.New("too large")
	// ErrThrottled: too many wrong attempts; RetryAfter says how long to wait.
	ErrThrottled = errors.New("throttled")
	// ErrUnavailable: no connection, no whole answer, or an answer that the server, or a proxy before it, cannot serve now.
	ErrUnavailable = errors.New("unavailable")
	// ErrServer: a fault of the server. Its log says more under RequestID.
	ErrServer = errors.New("server fault")
	// ErrBadAnswer: the answer is none that Lockbox gives: a redirect, a page, more than Config.MaxAnswerBytes.
	ErrBadAnswer = errors.New("bad answer")
	// ErrOutcomeUnknown: a change may or may not have been made; look before you try again. Reads never fail so.
	ErrOutcomeUnknown = errors.New("outcome unknown")
)

// Error is why a request failed. Test it with errors.Is against the kinds above; Code is for what they do not tell apart.
// It holds no secret: paths are shown as templates, and nothing that was sent is repeated.
type Error struct {
	// Request is the method and the template of the path: "GET /boxes/{box}/entries/{key}". "" where there was none.
	Request string
	// Status is the status of the answer; 0 when there was no answer.
	Status int
	// Code is the stable word for what is wrong, as docs/http.md lists them: "entry_not_found". "" when the answer has none.
	Code string
	// ID is the errorId of requests under /api/v1; 0 elsewhere, and for what their table does not list.
	ID int
	// Message is a sentence for people.
	Message string
	// Field is the part of the input that is wrong, if one is.
	Field string
	// RequestID is under what the server's log, and the record, have the request.
	RequestID string
	// RetryAfter is how long the server asks to wait, 0 when it does not.
	RetryAfter time.Duration

	kinds   []error
	cause   error
	worth   bool // trying again may help
	unclear bool // the server may have done what was asked
}

// Error says what failed, with which status and code, and why.
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
		text.WriteString(" (it is unknown whether the change was made)")
	}
	if e.Status >= http.StatusInternalServerError && e.RequestID != "" {
		text.WriteString(" (request " + e.RequestID + ")")
	}
	return text.String()
}

// Is reports whether the error is of a kind.
func (e *Error) Is(kind error) bool { return slices.Contains(e.kinds, kind) }

// Unwrap returns what happened below HTTP, such as a *net.OpError or context.Canceled, or nil.
func (e *Error) Unwrap() error { return e.cause }

// invalid is a mistake that is found before anything is sent.
func invalid(code, field, message string) *Error {
	return &Error{
		Code:    code,
		Field:   field,
		Message: message,
		kinds:   []error{ErrInvalid},
	}
}

// kindOfStatus is what a status says by itself.
func kindOfStatus(status int) error {
	switch status {
	case http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusUnsupportedMediaType:
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
		return ErrBadAnswer
	}
}

// kindOfCode adds what a code says beyond its status.
var kindOfCode = map[string]error{
	"encryption_key_mismatch": ErrEncryptionKeyMismatch,
	"encryption_key_required": ErrEncryptionKeyRequired,
	"totp_required":           ErrCodeRequired,
	"outcome_unknown":         ErrOutcomeUnknown,
}

// accountErrors are the errors under /api/v1 by their number, in the words and kinds of the other requests: some have a
// status that says something else.
var accountErrors = map[int]struct {
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
