package httpapi

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/identity"
)

type apiKeyAnswer struct {
	APIKey string `json:"apiKey"`
}

// credentials are how somebody names itself in a body.
type credentials struct {
	Username string `json:"username"`
	Password string `json:"password"`
}

func (a *API) initialize(c echo.Context, by domain.Requester) error {
	token, err := takeHeader(c, "X-Init-Token")
	if err != nil {
		return err
	}
	var body credentials
	if err := a.bind(c, &body); err != nil {
		return err
	}
	key, err := a.Identity.Initialize(c.Request().Context(), by,
		identity.Initialize{Username: body.Username, Password: body.Password, Token: token})
	if err != nil {
		return err
	}
	return answer(c, apiKeyAnswer{key})
}

func (a *API) authenticate(c echo.Context, by domain.Requester) error {
	var body signInBody
	if err := a.bind(c, &body); err != nil {
		return err
	}
	token, ends, err := a.Identity.Authenticate(c.Request().Context(), by,
		identity.Authenticate{Username: body.Username, Password: body.Password, Code: string(body.Code)})
	if err != nil {
		return err
	}
	return answer(c, struct {
		Token  string `json:"token"`
		Expiry int64  `json:"expiry"` // Unix milliseconds
	}{token, ends.UnixMilli()})
}

func (a *API) whoAmI(c echo.Context, by domain.Requester) error {
	caller, err := a.Identity.WhoAmI(c.Request().Context(), by)
	if err != nil {
		return err
	}
	type token struct {
		Kind      string  `json:"kind"`
		ID        string  `json:"id"`
		Name      string  `json:"name"`
		ExpiresAt *string `json:"expiresAt"`
	}
	return answer(c, struct {
		Username string  `json:"username"`
		Role     string  `json:"role"`
		Group    *string `json:"group"`
		Token    token   `json:"token"`
	}{string(caller.Name), caller.Role.String(), orNull(caller.Group.String()), token{string(caller.Credential.Kind),
		caller.Credential.ID.String(), caller.CredentialName, rfc3339(caller.ExpiresAt)}})
}

func (a *API) issueAPIKey(c echo.Context, by domain.Requester) error {
	var body struct {
		Expiry string `json:"expiry"`
		Name   string `json:"name"`
	}
	if _, err := a.bindOptional(c, &body); err != nil {
		return err
	}
	key, err := a.Identity.IssueAPIKey(c.Request().Context(), by,
		identity.IssueAPIKey{Expiry: body.Expiry, Name: body.Name})
	if err != nil {
		return err
	}
	return answer(c, apiKeyAnswer{key})
}

func (a *API) listAPIKeys(c echo.Context, by domain.Requester) error {
	keys, err := a.Identity.ListAPIKeys(c.Request().Context(), by)
	if err != nil {
		return err
	}
	type line struct {
		ID         string  `json:"id"`
		Name       string  `json:"name"`
		CreatedAt  *string `json:"createdAt"`
		ExpiresAt  *string `json:"expiresAt"`
		LastUsedAt *string `json:"lastUsedAt"`
	}
	lines := make([]line, len(keys))
	for i, key := range keys {
		lines[i] = line{key.ID.String(), key.Name, rfc3339(key.CreatedAt), rfc3339(key.ExpiresAt),
			rfc3339(key.LastUsedAt)}
	}
	return answer(c, lines)
}

func (a *API) revokeAPIKey(c echo.Context, by domain.Requester) error {
	if err := a.Identity.RevokeAPIKey(c.Request().Context(), by, param(c, "apiKey")); err != nil {
		return err
	}
	return noContentJSON(c)
}

func (a *API) listUsers(c echo.Context, by domain.Requester) error {
	names, err := a.Identity.ListUsers(c.Request().Context(), by)
	if err != nil {
		return err
	}
	return answer(c, names)
}

func (a *API) createUser(c echo.Context, by domain.Requester) error {
	var body struct {
		Username string `json:"username"`
		Password string `json:"password"`
		Role     string `json:"role"`
	}
	if err := a.bind(c, &body); err != nil {
		return err
	}
	user, err := a.Identity.CreateUser(c.Request().Context(), by,
		identity.CreateUser{Username: body.Username, Password: body.Password, Role: body.Role})
	if err != nil {
		return err
	}
	c.Response().Header().Set("X-API-Key", user.APIKey)
	return created(c, "users", string(user.Name))
}

func (a *API) describeUser(c echo.Context, by domain.Requester) error {
	seen, err := a.Identity.DescribeUser(c.Request().Context(), by, param(c, "username"))
	if err != nil {
		return err
	}
	return answer(c, struct {
		Username    string   `json:"username"`
		Role        string   `json:"role"`
		IsActive    bool     `json:"isActive"`
		CreatedAt   string   `json:"createdAt"`
		UpdatedAt   string   `json:"updatedAt"`
		APIKeys     []string `json:"apiKeys"`
		Permissions []string `json:"permissions"`
	}{string(seen.User.Name), seen.User.Role.String(), seen.User.Active, seen.User.CreatedAt.Format(wholeSeconds),
		seen.User.UpdatedAt.Format(wholeSeconds), seen.APIKeys, seen.Permissions.Names()})
}

func (a *API) updateUser(c echo.Context, by domain.Requester) error {
	var body struct {
		Role            *string `json:"role"`
		IsActive        *bool   `json:"isActive"`
		Password        *string `json:"password"`
		CurrentPassword string  `json:"currentPassword"`
		RevokeAPIKeys   bool    `json:"revokeApiKeys"`
		Group           *string `json:"group"`
	}
	if err := a.bind(c, &body); err != nil {
		return err
	}
	err := a.Identity.UpdateUser(c.Request().Context(), by, identity.UpdateUser{
		Username:        param(c, "username"),
		Role:            body.Role,
		Active:          body.IsActive,
		Password:        body.Password,
		CurrentPassword: body.CurrentPassword,
		RevokeAPIKeys:   body.RevokeAPIKeys,
		Group:           body.Group,
	})
	if err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

func (a *API) deleteUser(c echo.Context, by domain.Requester) error {
	if err := a.Identity.DeleteUser(c.Request().Context(), by, param(c, "username")); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}
