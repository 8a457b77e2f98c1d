package httpapi

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/vault"
)

func (a *API) listBoxes(c echo.Context, by domain.Requester) error {
	names, err := a.Vault.ListBoxes(c.Request().Context(), by)
	if err != nil {
		return err
	}
	return answer(c, names)
}

func (a *API) createBox(c echo.Context, by domain.Requester) error {
	name, err := a.Vault.CreateBox(c.Request().Context(), by, param(c, "box"))
	if err != nil {
		return err
	}
	return created(c, "boxes", string(name))
}

func (a *API) describeBox(c echo.Context, by domain.Requester) error {
	seen, err := a.Vault.DescribeBox(c.Request().Context(), by, param(c, "box"))
	if err != nil {
		return err
	}
	type user struct {
		Username string `json:"username"`
		Role     string `json:"role"`
		IsActive bool   `json:"isActive"`
	}
	users := make([]user, len(seen.Users))
	for i, member := range seen.Users {
		users[i] = user{string(member.Name), member.Role.String(), member.Active}
	}
	return answer(c, struct {
		ID        string            `json:"id"`
		Name      string            `json:"name"`
		Owner     string            `json:"owner"`
		CreatedAt string            `json:"createdAt"`
		UpdatedAt string            `json:"updatedAt"`
		Entries   []domain.EntryKey `json:"entries"`
		Users     []user            `json:"users"`
	}{seen.Box.ID.String(), string(seen.Box.Name), string(seen.Owner), seen.Box.CreatedAt.Format(wholeSeconds),
		seen.UpdatedAt.Format(wholeSeconds), seen.Keys, users})
}

func (a *API) transferBox(c echo.Context, by domain.Requester) error {
	var body struct {
		Owner string `json:"owner"`
	}
	if err := a.bind(c, &body); err != nil {
		return err
	}
	if err := a.Vault.TransferBox(c.Request().Context(), by,
		vault.TransferBox{Box: param(c, "box"), NewOwner: body.Owner}); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

func (a *API) deleteBox(c echo.Context, by domain.Requester) error {
	if err := a.Vault.DeleteBox(c.Request().Context(), by, param(c, "box")); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}
