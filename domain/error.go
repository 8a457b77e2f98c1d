package domain

import (
	"errors"
	"time"
)

// Kind is the category of a refusal. Kind implements error, so that errors.Is(err, domain.NotFound) matches every
// refusal of that kind.
type Kind uint8

// The kinds, roughly in the order in which a request is checked.
const (
	// Invalid: the input breaks a rule. Message states the rule, and Field names the part of the input to correct.
	Invalid Kind = iota + 1
	// Unauthenticated: there is no valid credential.
	Unauthenticated
	// Forbidden: the caller is known but lacks a right.
	Forbidden
	// NotFound: the thing does not exist, or is not visible to this caller.
	NotFound
	// Conflict: the current state does not allow the change.
	Conflict
	// Precondition: a condition of the request does not hold.
	Precondition
	// TooLarge: the input exceeds a limit on its size.
	TooLarge
	// Unsupported: the input is of an unsupported type.
	Unsupported
	// RateLimited: there were too many attempts; retry later.
	RateLimited
	// Unavailable: a dependency does not answer, or a queue is full; retry later.
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

// Error is a refusal that may be shown to the client.
type Error struct {
	Kind Kind
	// Code is stable and meant for programs.
	Code string
	// Message is a sentence for people. It never contains a secret.
	Message string
	// Field is the part of the input that is wrong. It is empty when no single part is wrong.
	Field string
	// RetryAfter is the time to wait before a retry; 0 means that the time is unknown. It is set only for errors of the
	// kinds RateLimited and Unavailable.
	RetryAfter time.Duration
	// Cause is only for the log.
	Cause error
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

// Because returns a copy of e with a cause for the log.
func (e *Error) Because(cause error) *Error {
	with := *e
	with.Cause = cause
	return &with
}

// Refuse returns an error of a kind with its code and message.
func Refuse(kind Kind, code, message string) *Error {
	return &Error{Kind: kind, Code: code, Message: message}
}

// InvalidField returns an error of kind Invalid about one field of the input.
func InvalidField(field, code, message string) *Error {
	return &Error{
		Kind:    Invalid,
		Code:    code,
		Message: message,
		Field:   field,
	}
}

// KindOf returns the kind of err, or 0 if err contains neither an Error nor a Kind.
func KindOf(err error) Kind {
	if refusal, ok := errors.AsType[*Error](err); ok {
		return refusal.Kind
	}
	if kind, ok := errors.AsType[Kind](err); ok {
		return kind
	}
	return 0
}

// CodeOf returns the stable code of err, or "" if err contains no Error.
func CodeOf(err error) string {
	if refusal, ok := errors.AsType[*Error](err); ok {
		return refusal.Code
	}
	return ""
}
