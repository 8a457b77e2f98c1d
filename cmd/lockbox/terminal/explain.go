package terminal

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/lockbox-go/lockbox/client"
)

// remedies maps error codes of the server to the next step for the user. It omits the codes whose messages already
// contain a remedy.
var remedies = map[string]string{
	"already_initialized":     "sign in with lockbox login",
	"unauthenticated":         "sign in with lockbox login",
	"token_expired":           "sign in with lockbox login",
	"refresh_token_not_found": "sign in with lockbox login",
	"permission_missing":      "a boxadmin can grant permissions with lockbox box permissions",
	"box_not_found":           "lockbox box list shows your boxes",
	"entry_not_found":         "lockbox list shows the entries of a box",
	"version_not_found":       "lockbox history shows the available versions",
	"box_user_not_found":      "lockbox box user list shows the users of a box",
	"invitation_not_found":    "lockbox users invitations shows the open invitations",
	"user_not_found":          "admins can list all users with lockbox users list",
	"api_key_not_found":       "lockbox api-keys list shows your keys and their ids",
	"group_too_low":           "the owner can change your group with lockbox users update --group",
	"droplet_not_found":       "lockbox droplet list shows all droplets",
	"route_not_found":         "check that the address belongs to a Lockbox server",
	"encryption_key_required": "set LOCKBOX_ENCRYPTION_KEY or use --encryption-key-file",
	"init_token_required":     "pass the token with --init-token-file",
	"totp_required":           "lockbox login asks for the code",
	"identity_not_found":      "to create an identity, the user runs lockbox identity create",
	"locked_identity_not_found": "if another machine has the identity, run lockbox identity passphrase there, or " +
		"copy the identity to this machine with lockbox identity export and lockbox identity import",
	"keyring_not_found":         "lockbox box adopt makes a keyring",
	"recipient_stale":           "lockbox box rekey drops recipients who left the box or have a new identity",
	"key_change_required":       "lockbox box rekey changes the key",
	"current_password_required": "lockbox users passwd asks for the current password",
	"password_code_required":    "lockbox users passwd asks for the TOTP code",
}

// keyRemedies maps the error codes of package client/keys to the next step for the user. The server does not use these
// codes.
var keyRemedies = map[string]string{
	"unlock_failed":        "if you have lost the passphrase, use lockbox identity create --replace-lost",
	"identity_changed":     "after you have compared the new fingerprint, pass it with --fingerprint",
	"identity_unconfirmed": "in a script, pass the fingerprint with --fingerprint",
	"user_replaced":        "lockbox identity forget removes the old fingerprint",
	"keyring_tampered":     "report this to the operator of the server",
}

// replacements maps error codes to messages that replace the messages of the server. The server's messages for these
// codes name HTTP headers, which a user of the terminal never sees.
var replacements = map[string]string{
	"recent_sign_in_required": "this command requires a sign-in with your password within the last ten minutes: " +
		"run lockbox login",
	"key_not_current": "the box has a keyring, so values must be encrypted under the current key of the keyring: " +
		"unlock your identity with lockbox identity unlock, and pass no encryption key",
	"encryption_key_mismatch": "the given encryption key cannot decrypt the value; " +
		"lockbox history shows the author of the value, who may have the right key",
	"precondition_failed": "nothing was written: the entry has changed or already exists; " +
		"read the entry again, or see lockbox history",
}

// Explain returns the message that the program prints for an error. The message names the problem and the next step.
// For a failure of the server it includes the request id, because the operator needs the id to find the failure in the
// log.
func Explain(err error) string {
	var detailed *detailedError
	if errors.As(err, &detailed) {
		return detailed.Error()
	}
	var refused *client.Error
	if !errors.As(err, &refused) {
		return err.Error()
	}
	var text strings.Builder
	switch {
	// This response comes from a proxy and not from Lockbox. Only the status of the response is reliable.
	case refused.Status != 0 && errors.Is(refused, client.ErrBadResponse):
		message := printable(refused.Message)
		if refused.RetryAfter > 0 || errors.Is(refused, client.ErrOutcomeUnknown) {
			message = strings.TrimSuffix(message, vagueRetry)
		}
		text.WriteString(answered(refused.Status) + ": " + message)
	// Status 0 means that there was no response. The message comes from the package client.
	case refused.Status == 0 && errors.Is(refused, client.ErrUnavailable):
		text.WriteString("the server cannot be reached: " + refused.Message)
	case replacements[refused.Code] != "":
		text.WriteString(replacements[refused.Code])
	default:
		text.WriteString(printable(refused.Message))
	}
	if remedy := cmp.Or(remedies[refused.Code], keyRemedies[refused.Code]); remedy != "" {
		text.WriteString("; " + remedy)
	}
	// After an unknown outcome, the user must first check whether the change was made. The message for outcome_unknown
	// already contains this advice.
	unknown := errors.Is(refused, client.ErrOutcomeUnknown)
	if unknown && refused.Code != "outcome_unknown" {
		text.WriteString("; the change may or may not have been made: check before you try again")
	}
	message := text.String()
	// Do not suggest a retry if the outcome is unknown, because the user must check it first. Do not suggest a retry if
	// no droplet host is configured, because the request would fail again.
	if !unknown && refused.RetryAfter > 0 && refused.Code != "no_droplet_host" {
		message = withRetryTime(message, refused.RetryAfter)
	}
	if errors.Is(refused, client.ErrServer) && refused.RequestID != "" {
		message += " (request " + printable(refused.RequestID) + ")"
	}
	return message
}

// vagueRetry is how package client ends its message about a proxy that cannot reach the server. Explain removes
// vagueRetry if Explain itself appends the exact time until a retry. Explain also removes vagueRetry if the outcome of
// the request is unknown, because the user must then check the outcome first.
const vagueRetry = ", and try again later"

// withRetryTime appends the time until a retry to a message. A message that already contains "try again" stays
// unchanged.
func withRetryTime(message string, after time.Duration) string {
	if strings.Contains(message, "try again") {
		return message
	}
	return message + "; try again in " + after.Round(time.Second).String()
}

// answered names the status of a response, as in "the server answered 502 Bad Gateway".
func answered(status int) string {
	return strings.TrimSpace(fmt.Sprintf("the server answered %d %s", status, http.StatusText(status)))
}

// explainToken adds the source of a refused credential to the error of a command, because the remedy depends on the
// source. If the credential comes from a profile that is not the default profile, explainToken names the flag that
// selects the profile. If the credential comes from the environment, explainToken names the variable, because the
// variable takes precedence over a new login.
func (s *session) explainToken(err error) error {
	refused, ok := errors.AsType[*client.Error](err)
	if !ok || !slices.Contains(tokenRefusals, refused.Code) && refused.Code != "refresh_token_not_found" {
		return err
	}
	switch {
	case s.usesProfile && s.profileFlag() != "":
		return &detailedError{error: err, suffix: "; the profile is " + s.name + ": add" + s.profileFlag()}
	case s.usesEnvironment:
		return &detailedError{error: err, suffix: "; LOCKBOX_API_KEY is set and takes precedence over the profile: " +
			"set it to a valid key or unset it"}
	}
	return err
}

// detailedError is an error to which a command has added details: the affected entry, or the amount of finished work.
// Its method Error already calls Explain for the original error, so Explain returns the message of a detailedError
// unchanged.
type detailedError struct {
	prefix string
	error
	suffix string
}

// entryError adds the address of the affected entry to an error. Commands that handle several entries use it.
func entryError(at address, err error) error {
	return &detailedError{prefix: at.String() + ": ", error: err}
}

// Error returns the prefix, the message that Explain returns for the original error, and the suffix.
func (e *detailedError) Error() string { return e.prefix + Explain(e.error) + e.suffix }

// Unwrap returns the original error, which determines the exit code.
func (e *detailedError) Unwrap() error { return e.error }
