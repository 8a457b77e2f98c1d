package httpapi

import (
	"github.com/labstack/echo/v4"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/identity"
)

// accountsPath is what all paths of contract B begin with.
const accountsPath = "/api/v1"

func (a *API) signInWithCode(c echo.Context, by domain.Requester) error {
	var body signInBody
	if _, err := a.bindOptional(c, &body); err != nil {
		return err
	}
	pair, err := a.Identity.Accounts().SignIn(c.Request().Context(), by,
		identity.AccountsSignIn{Username: body.Username, Code: string(body.Code), Password: body.Password})
	if err != nil {
		return err
	}
	return answerPair(c, pair)
}

func (a *API) refresh(c echo.Context, by domain.Requester) error {
	var body struct {
		GrantType    string `json:"grant_type"`
		RefreshToken string `json:"refresh_token"`
	}
	if err := a.bind(c, &body); err != nil {
		return err
	}
	if body.GrantType != "refresh_token" {
		return domain.InvalidField("grant_type", "unsupported_grant_type", `grant_type must be "refresh_token"`)
	}
	pair, err := a.Identity.Accounts().Refresh(c.Request().Context(), by, body.RefreshToken)
	if err != nil {
		return err
	}
	return answerPair(c, pair)
}

func answerPair(c echo.Context, pair identity.TokenPair) error {
	return answer(c, struct {
		TokenType    string `json:"token_type"`
		ExpiresIn    int64  `json:"expires_in"` // seconds
		AccessToken  string `json:"access_token"`
		RefreshToken string `json:"refresh_token"`
	}{"Bearer", int64(pair.ExpiresIn.Seconds()), pair.Access.String(), pair.Refresh.String()})
}

func (a *API) revokeSessions(c echo.Context, by domain.Requester) error {
	if err := a.Identity.Accounts().RevokeSessions(c.Request().Context(), by, param(c, "user")); err != nil {
		return err
	}
	return answer(c, struct {
		Status string `json:"status"`
	}{"ok"})
}

func (a *API) showTOTP(c echo.Context, by domain.Requester) error {
	enrolment, err := a.Identity.Accounts().ShowTOTP(c.Request().Context(), by, param(c, "user"))
	if err != nil {
		return err
	}
	return answer(c, struct {
		QR     string `json:"qr"`
		Secret string `json:"secret"`
	}{qrURI(enrolment), enrolment.Secret})
}

func (a *API) listAccounts(c echo.Context, by domain.Requester) error {
	users, err := a.Identity.Accounts().ListUsers(c.Request().Context(), by)
	if err != nil {
		return err
	}
	type line struct {
		Username string  `json:"username"`
		Group    *string `json:"group"`
		Created  *string `json:"created"`
	}
	lines := make([]line, len(users))
	for i, user := range users {
		lines[i] = line{user.Spelling, orNull(user.Group.String()), rfc3339(user.CreatedAt)}
	}
	return answer(c, lines)
}

func (a *API) addAccount(c echo.Context, by domain.Requester) error {
	var body struct {
		Username string `json:"username"`
		Group    string `json:"group"`
	}
	if _, err := a.bindOptional(c, &body); err != nil {
		return err
	}
	err := a.Identity.Accounts().AddUser(c.Request().Context(), by,
		identity.AccountsAddUser{Username: body.Username, Group: body.Group})
	if err != nil {
		return err
	}
	return a.listAccounts(c, by)
}

func (a *API) deleteAccount(c echo.Context, by domain.Requester) error {
	if err := a.Identity.Accounts().DeleteUser(c.Request().Context(), by, param(c, "user")); err != nil {
		return err
	}
	return a.listAccounts(c, by)
}
