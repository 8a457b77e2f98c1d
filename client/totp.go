package client

import (
	"context"
	"encoding/base64"
	"net/http"
	"strings"
	"time"
)

// Enrolment is what an authenticator app needs, and is shown once.
type Enrolment struct {
	// Secret is the secret in base32, to be typed.
	Secret Secret
	// URI is otpauth://…; none from ShowTOTP.
	URI Secret
	// QR is a picture of the URI for a page: data:image/png;base64,…
	QR Secret
	// RecoveryCodes stand in for a code once each; none from ShowTOTP.
	RecoveryCodes []Secret
}

// PNG returns the picture of QR, nil when there is none.
func (e *Enrolment) PNG() []byte {
	_, text, _ := strings.Cut(e.QR.Reveal(), ";base64,")
	picture, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(picture) == 0 {
		return nil
	}
	return picture
}

const codePath = "/users/{username}/totp"

func codeBody(code Secret) any {
	if code.IsZero() {
		return nil
	}
	return map[string]string{"code": code.Reveal()}
}

// EnrolTOTP makes a code secret for the user itself, as a second factor beside its password, and asks for a code, or a
// recovery code, where one is confirmed already; the zero Secret is none. It counts from ConfirmTOTP on.
func (c *Client) EnrolTOTP(ctx context.Context, username string, code Secret) (*Enrolment, error) {
	made, err := fetch[Enrolment](ctx, c, post(codePath, codeBody(code), http.StatusCreated, username))
	if err != nil {
		return nil, err
	}
	return &made, nil
}

// ConfirmTOTP takes the first code of a new secret. From now on signing in wants one. It returns ErrForbidden
// (code_wrong) for a wrong code.
func (c *Client) ConfirmTOTP(ctx context.Context, username string, code Secret) error {
	return c.run(ctx, post(codePath+"/confirm", codeBody(code), http.StatusNoContent, username))
}

// RemoveTOTP ends the codes of a user, recovery codes included. The user itself may, with a code, and admins without.
func (c *Client) RemoveTOTP(ctx context.Context, username string, code Secret) error {
	k := remove(codePath, "totp_not_found", username)
	k.body = codeBody(code)
	k.again = code.IsZero() // a code works once
	return c.run(ctx, k)
}

// ShowTOTP returns the code secret of an account until its first code was accepted; ErrForbidden afterwards. The owner may.
func (c *Client) ShowTOTP(ctx context.Context, username string) (*Enrolment, error) {
	shown, err := fetch[Enrolment](ctx, c, get(accounts+"/user/auth/setup/{user}", username))
	if err != nil {
		return nil, err
	}
	return &shown, nil
}

// Account is a user as the list of accounts shows it.
type Account struct {
	Username string `json:"username"`
	// Group is "" for a user without one.
	Group   string    `json:"group,omitempty"`
	Created time.Time `json:"created"`
}

// ListAccounts returns all users, oldest first. The owner may, here and in what follows.
func (c *Client) ListAccounts(ctx context.Context) ([]Account, error) {
	return fetch[[]Account](ctx, c, get(accounts+"/user/list"))
}

// AddAccount makes a user who signs in with codes, in a group, and returns all users.
func (c *Client) AddAccount(ctx context.Context, username, group string) ([]Account, error) {
	return fetch[[]Account](ctx, c,
		post(accounts+"/user/add", map[string]string{"username": username, "group": group}, http.StatusOK))
}

// DeleteAccount deletes a user and returns those who are left. When it is unknown whether it worked, it is not sent again.
func (c *Client) DeleteAccount(ctx context.Context, username string) ([]Account, error) {
	return fetch[[]Account](ctx, c, call{
		method: http.MethodDelete,
		path:   accounts + "/user/delete/{user}",
		params: []string{username},
		want:   http.StatusOK,
	})
}
