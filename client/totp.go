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
	// QR is a PNG image of URI as a QR code. It has the form of a data URI: data:image/png;base64,…
	QR Secret
	// RecoveryCodes can be used in place of TOTP codes, each of them once. The list is empty in a result of
	// Accounts.ShowTOTP.
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

// TOTPProof proves the identity of a user who enrols or confirms a TOTP secret.
type TOTPProof struct {
	// Code is a TOTP code. A user who replaces a confirmed secret can send a recovery code instead. A user who has no
	// confirmed secret yet calls EnrolTOTP without a code.
	Code Secret
	// CurrentPassword is the user's password. A user who has no password leaves it zero.
	CurrentPassword Secret
}

// body returns the body of a request, or nil if the proof is empty.
func (p TOTPProof) body() any {
	if p.Code.IsZero() && p.CurrentPassword.IsZero() {
		return nil
	}
	return struct {
		Code            string `json:"code,omitempty"`
		CurrentPassword string `json:"currentPassword,omitempty"`
	}{p.Code.Reveal(), p.CurrentPassword.Reveal()}
}

// EnrolTOTP creates a TOTP secret and recovery codes for a user. Users may call EnrolTOTP only for themselves. The new
// secret takes effect when the user calls ConfirmTOTP. EnrolTOTP returns ErrInvalid (code_required) for a missing code,
// ErrForbidden (totp_password_required) for a missing password, and ErrForbidden for a wrong code or password.
func (c *Client) EnrolTOTP(ctx context.Context, username string, proof TOTPProof) (*Enrolment, error) {
	enrolment, err := fetch[Enrolment](ctx, c, post(totpPath, proof.body(), http.StatusCreated, username))
	if err != nil {
		return nil, err
	}
	return &enrolment, nil
}

// ConfirmTOTP confirms a new TOTP secret with its first code. From then on, SignIn requires a code. ConfirmTOTP returns
// ErrForbidden for a wrong code (code_wrong), and for a wrong or missing password. Users may call ConfirmTOTP only for
// themselves.
func (c *Client) ConfirmTOTP(ctx context.Context, username string, proof TOTPProof) error {
	return c.run(ctx, post(totpPath+"/confirm", proof.body(), http.StatusNoContent, username))
}

// RemoveTOTP removes two-factor authentication from a user, including the recovery codes. Users need a TOTP code or a
// recovery code to remove their own two-factor authentication; admins need no code.
func (c *Client) RemoveTOTP(ctx context.Context, username string, code Secret) error {
	k := remove(totpPath, "totp_not_found", username)
	k.body = codeBody(code)
	k.idempotent = code.IsZero() // the server accepts a code only once
	return c.run(ctx, k)
}
