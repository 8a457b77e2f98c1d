package httpapi

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/vault"
)

func (a *API) listBoxUsers(c echo.Context, by domain.Requester) error {
	users, err := a.Vault.ListBoxUsers(c.Request().Context(), by, param(c, "box"))
	if err != nil {
		return err
	}
	names := make([]domain.UserName, len(users))
	for i, user := range users {
		names[i] = user.Name
	}
	return answer(c, names)
}

func (a *API) addBoxUser(c echo.Context, by domain.Requester) error {
	var body struct {
		Username string `json:"username"`
		Role     string `json:"role"`
	}
	if err := a.bind(c, &body); err != nil {
		return err
	}
	box, name, err := a.Vault.AddBoxUser(c.Request().Context(), by,
		vault.AddBoxUser{Box: param(c, "box"), Username: body.Username, Role: body.Role})
	if err != nil {
		return err
	}
	return created(c, "boxes", string(box), "users", string(name))
}

func (a *API) describeBoxUser(c echo.Context, by domain.Requester) error {
	user, err := a.Vault.DescribeBoxUser(c.Request().Context(), by, param(c, "box"), param(c, "username"))
	if err != nil {
		return err
	}
	permissions := user.Permissions.Names()
	for i, name := range permissions {
		permissions[i] = strings.ToLower(name) // here, as the original had it; in camel case under …/permissions
	}
	return answer(c, struct {
		Username    string   `json:"username"`
		Role        string   `json:"role"`
		IsActive    bool     `json:"isActive"`
		Permissions []string `json:"permissions"`
	}{string(user.Name), user.Role.String(), user.Active, permissions})
}

func (a *API) updateBoxUser(c echo.Context, by domain.Requester) error {
	var body struct {
		Role     *string `json:"role"`
		IsActive *bool   `json:"isActive"`
	}
	if _, err := a.bindOptional(c, &body); err != nil {
		return err
	}
	err := a.Vault.UpdateBoxUser(c.Request().Context(), by, vault.UpdateBoxUser{
		Box:      param(c, "box"),
		Username: param(c, "username"),
		Role:     body.Role,
		Active:   body.IsActive,
	})
	if err != nil {
		return err
	}
	return noContentJSON(c)
}

func (a *API) removeBoxUser(c echo.Context, by domain.Requester) error {
	if err := a.Vault.RemoveBoxUser(c.Request().Context(), by, param(c, "box"), param(c, "username")); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

func (a *API) listPermissions(c echo.Context, by domain.Requester) error {
	user, err := a.Vault.DescribeBoxUser(c.Request().Context(), by, param(c, "box"), param(c, "username"))
	if err != nil {
		return err
	}
	return answer(c, user.Permissions.Names())
}

func (a *API) setPermissions(c echo.Context, by domain.Requester) error {
	var names []string
	if _, err := a.bindOptional(c, &names); err != nil {
		return err
	}
	return a.replacePermissions(c, by, names)
}

func (a *API) clearPermissions(c echo.Context, by domain.Requester) error {
	return a.replacePermissions(c, by, nil)
}

func (a *API) replacePermissions(c echo.Context, by domain.Requester, names []string) error {
	err := a.Vault.SetPermissions(c.Request().Context(), by, vault.SetPermissions{Box: param(c, "box"),
		Username: param(c, "username"), Names: names})
	if err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}
