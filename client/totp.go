package client

import (
	"context"
	"encoding/base64"
	"net/http"
	"strings"
)

// Enrolment holds the data from which an authenticator app generates TOTP codes. The server returns it once.
type Enrolment struct {
	// Secret is the TOTP secret in base32, for manual entry.
	Secret Secret
	// URI is the otpauth:// URI. It is empty in a result of Accounts.ShowTOTP.
	URI Secret
	// QR is the URI as a QR code, a data URI with a PNG: data:image/png;base64,…
	QR Secret
	// RecoveryCodes can each replace a TOTP code once. It is empty in a result of Accounts.ShowTOTP.
	RecoveryCodes []Secret
}

// PNG returns the PNG image in QR, or nil if there is none.
func (e *Enrolment) PNG() []byte {
	_, text, _ := strings.Cut(e.QR.Reveal(), ";base64,")
	picture, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(picture) == 0 {
		return nil
	}
	return picture
}

const totpPath = "/users/{username}/totp"

func codeBody(code Secret) any {
	if code.IsZero() {
		return nil
	}
	return map[string]string{"code": code.Reveal()}
}

// EnrolTOTP creates a TOTP secret and recovery codes as a second factor for the user itself. If two-factor
// authentication is already confirmed, code must be a current TOTP code or a recovery code; otherwise pass the zero
// Secret. The new secret takes effect with ConfirmTOTP.
func (c *Client) EnrolTOTP(ctx context.Context, username string, code Secret) (*Enrolment, error) {
	enrolment, err := fetch[Enrolment](ctx, c, post(totpPath, codeBody(code), http.StatusCreated, username))
	if err != nil {
		return nil, err
	}
	return &enrolment, nil
}

// ConfirmTOTP confirms a new TOTP secret with its first code. From then on, SignIn requires a code. ConfirmTOTP returns
// ErrForbidden (code_wrong) for a wrong code. Allowed for the user itself.
func (c *Client) ConfirmTOTP(ctx context.Context, username string, code Secret) error {
	return c.run(ctx, post(totpPath+"/confirm", codeBody(code), http.StatusNoContent, username))
}

// RemoveTOTP removes two-factor authentication from a user, including the recovery codes. Users need a TOTP code or a
// recovery code to remove their own; admins need no code.
func (c *Client) RemoveTOTP(ctx context.Context, username string, code Secret) error {
	k := remove(totpPath, "totp_not_found", username)
	k.body = codeBody(code)
	k.idempotent = code.IsZero() // the server accepts a code only once
	return c.run(ctx, k)
}
