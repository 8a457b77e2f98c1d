package domain

import (
	"errors"
	"time"
)

// Kind is the category of a refusal. It is itself an error, so that callers can ask
// errors.Is(err, domain.NotFound) without knowing which rule refused.
type Kind uint8

// The kinds, in the order in which a request meets them.
const (
	// Invalid: the input breaks a rule that its sender can read in Message and mend in Field.
	Invalid Kind = iota + 1
	// Unauthenticated: nobody, or nobody any more.
	Unauthenticated
	// Forbidden: known, but not allowed.
	Forbidden
	// NotFound: not there, or not for this caller to know of.
	NotFound
	// Conflict: the present state does not admit the change.
	Conflict
	// Precondition: a condition that the caller set (If-Match, If-None-Match) does not hold.
	Precondition
	// TooLarge: over a limit on size.
	TooLarge
	// Unsupported: the body is of a type that is not read here.
	Unsupported
	// RateLimited: too many attempts; later is fine.
	RateLimited
	// Unavailable: something the service depends on does not answer or is full; later is fine.
	Unavailable
)

var kindNames = [...]string{
	Invalid:         "invalid",
	Unauthenticated: "unauthenticated",
	Forbidden:       "forbidden",
	NotFound:        "not found",
	Conflict:        "conflict",
	Precondition:    "precondition failed",
	TooLarge:        "too large",
	Unsupported:     "unsupported",
	RateLimited:     "throttled",
	Unavailable:     "unavailable",
}

// Error returns the kind's name.
func (k Kind) Error() string {
	if int(k) < len(kindNames) && kindNames[k] != "" {
		return kindNames[k]
	}
	return "unknown kind"
}

// Error is a refusal that may be shown to whoever asked. Code is stable and meant for programs; Message is a sentence
// for people and never repeats a secret; Field names the part of the input that is wrong, if one is. Cause is for the
// log alone.
type Error struct {
	Kind    Kind
	Code    string
	Message string
	Field   string
	// RetryAfter is how long to wait before trying again, for the kinds RateLimited and Unavailable; 0 says nothing.
	RetryAfter time.Duration
	Cause      error
}

// Error returns the message and, for the log, the cause.
func (e *Error) Error() string {
	if e.Cause != nil {
		return e.Message + ": " + e.Cause.Error()
	}
	return e.Message
}

// Unwrap makes errors.Is find the kind as well as the cause.
func (e *Error) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Cause}
}

// Because returns a copy of e that carries its cause for the log.
func (e *Error) Because(cause error) *Error {
	with := *e
	with.Cause = cause
	return &with
}

// Refuse makes an error of a kind with its stable code and its sentence.
func Refuse(kind Kind, code, message string) *Error {
	return &Error{Kind: kind, Code: code, Message: message}
}

// InvalidField makes an error of kind Invalid about one field of the input.
func InvalidField(field, code, message string) *Error {
	return &Error{
		Kind:    Invalid,
		Code:    code,
		Message: message,
		Field:   field,
	}
}

// KindOf returns the kind of err, or 0 when err is not a refusal of the domain.
func KindOf(err error) Kind {
	if refusal, ok := errors.AsType[*Error](err); ok {
		return refusal.Kind
	}
	if kind, ok := errors.AsType[Kind](err); ok {
		return kind
	}
	return 0
}

// CodeOf returns the stable code of err, or "" when err is not a refusal of the domain.
func CodeOf(err error) string {
	if refusal, ok := errors.AsType[*Error](err); ok {
		return refusal.Code
	}
	return ""
}
