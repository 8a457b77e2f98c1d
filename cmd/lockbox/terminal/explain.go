package terminal

import (
	"errors"
	"strings"
	"time"

	"github.com/lockbox-go/lockbox/client"
)

// remedies say what to do about a code, where the server's sentence does not.
var remedies = map[string]string{
	"already_initialized": "sign in with lockbox login",
	"unauthenticated": "sign in with lockbox login; where LOCKBOX_API_KEY is set it counts first: put a " +
		"good key there, or unset it",
	"token_expired":             "sign in with lockbox login",
	"refresh_token_not_found":   "sign in with lockbox login",
	"permission_missing":        "a boxadmin grants permissions with lockbox box permissions",
	"box_not_found":             "lockbox box list shows the boxes that you have a part in",
	"entry_not_found":           "lockbox list shows the entries of a box",
	"version_not_found":         "lockbox history shows those that are",
	"box_user_not_found":        "lockbox box user list shows those there are",
	"user_not_found":            "lockbox users list shows them to admins",
	"api_key_not_found":         "lockbox api-keys list shows yours by their ids",
	"group_too_low":             "your group is too low; the owner changes it with lockbox users update --group",
	"droplet_not_found":         "lockbox droplet list shows those there are",
	"route_not_found":           "is this the address of a Lockbox?",
	"outcome_unknown":           "look before you try again",
	"tampered":                  "tell whoever runs the server",
	"encryption_key_required":   "set LOCKBOX_ENCRYPTION_KEY or use --encryption-key-file",
	"init_token_required":       "give it with --init-token-file",
	"totp_required":             "lockbox login asks for the code",
	"current_password_required": "lockbox users passwd asks for it",
}

// instead replaces the server's sentence where that speaks of headers, which nobody at a terminal has written.
var instead = map[string]string{
	"encryption_key_mismatch": "the value is under another encryption key than the one given; lockbox history shows " +
		"who wrote it and may have the key",
	"precondition_failed": "nothing was written: somebody wrote the entry since, or it is there already; read it " +
		"again, or look at lockbox history",
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
	case instead[refused.Code] != "":
		text.WriteString(instead[refused.Code])
	default:
		text.WriteString(printable(refused.Message))
	}
	if remedy := remedies[refused.Code]; remedy != "" {
		text.WriteString("; " + remedy)
	}
	if refused.RetryAfter > 0 && refused.Code != "no_droplet_host" { // which waiting does not change
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
