package terminal

import (
	"errors"
	"strings"
	"time"

	"github.com/lockbox-go/lockbox/client"
)

// remedies say what to do about a code, where the server's sentence does not.
var remedies = map[string]string{
	"already_initialized":       "sign in with lockbox login",
	"unauthenticated":           "sign in with lockbox login; where LOCKBOX_API_KEY is set it counts first: put a good key there, or unset it",
	"token_expired":             "sign in with lockbox login",
	"refresh_token_not_found":   "sign in with lockbox login",
	"encryption_key_mismatch":   "this version was written under another encryption key: lockbox history shows by whom",
	"permission_missing":        "a boxadmin grants permissions with lockbox box permissions",
	"box_not_found":             "lockbox box list shows the boxes that you have a part in",
	"entry_not_found":           "lockbox list shows the entries of a box",
	"precondition_failed":       "somebody wrote it since: read it again",
	"outcome_unknown":           "look before you try again",
	"tampered":                  "tell whoever runs the server",
	"encryption_key_required":   "set LOCKBOX_ENCRYPTION_KEY or use --encryption-key-file",
	"init_token_required":       "give it with --init-token-file",
	"totp_required":             "lockbox login asks for the code",
	"current_password_required": "lockbox users passwd asks for it",
}

// Explain puts an error into a sentence for people: what is wrong, and what to do about it.
func Explain(err error) string {
	var about *told
	if errors.As(err, &about) {
		return about.Error()
	}
	var refused *client.Error
	if !errors.As(err, &refused) {
		return err.Error()
	}
	var text strings.Builder
	switch {
	case refused.Status == 0 && errors.Is(refused, client.ErrUnavailable):
		text.WriteString("the server cannot be reached: " + refused.Message)
	default:
		text.WriteString(printable(refused.Message))
	}
	if remedy := remedies[refused.Code]; remedy != "" {
		text.WriteString("; " + remedy)
	}
	if refused.RetryAfter > 0 {
		text.WriteString("; try again in " + refused.RetryAfter.Round(time.Second).String())
	}
	if errors.Is(refused, client.ErrServer) && refused.RequestID != "" {
		text.WriteString(" (request " + printable(refused.RequestID) + ")")
	}
	return text.String()
}

// told is an error with what a command knows of it: which of several entries it is about, how far the work has come.
type told struct {
	before string
	error
	after string
}

// about is an error of a command that has more than one entry.
func about(at address, err error) error { return &told{before: at.String() + ": ", error: err} }

func (e *told) Error() string { return e.before + Explain(e.error) + e.after }

func (e *told) Unwrap() error { return e.error }
