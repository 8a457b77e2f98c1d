package httpapi

import (
	"strings"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/vault"
)

func (a *API) listBoxUsers(r *request) error {
	users, err := a.vault.ListBoxUsers(r.ctx(), r.by, r.param("box"))
	names := make([]domain.UserName, len(users))
	for i, user := range users {
		names[i] = user.Name
	}
	return r.json(names, err)
}

func (a *API) addBoxUser(r *request) error {
	body, err := bind[struct {
		Username string `json:"username"`
		Role     string `json:"role"`
	}](r)
	if err != nil {
		return err
	}
	box, name, err := a.vault.AddBoxUser(r.ctx(), r.by,
		vault.AddBoxUser{Box: r.param("box"), Username: body.Username, Role: body.Role})
	if err != nil {
		return err
	}
	return r.created("boxes", string(box), "users", string(name))
}

func (a *API) describeBoxUser(r *request) error {
	user, err := a.vault.DescribeBoxUser(r.ctx(), r.by, r.param("box"), r.param("username"))
	if err != nil {
		return err
	}
	// Permissions are in lower case here and in camel case under …/permissions. Existing clients rely on both.
	permissions := user.Permissions.Names()
	for i, name := range permissions {
		permissions[i] = strings.ToLower(name)
	}
	return r.json(struct {
		boxUserLine
		Permissions []string `json:"permissions"`
	}{boxUserLine{string(user.Name), user.Role.String(), user.Active}, permissions}, nil)
}

func (a *API) updateBoxUser(r *request) error {
	// Absent and null fields stay nil and change nothing.
	body, err := bindOptional[struct {
		Role     *string `json:"role"`
		IsActive *bool   `json:"isActive"`
	}](r)
	if err != nil {
		return err
	}
	return r.noContentJSON(a.vault.UpdateBoxUser(r.ctx(), r.by, vault.UpdateBoxUser{
		Box:      r.param("box"),
		Username: r.param("username"),
		Role:     body.Role,
		Active:   body.IsActive,
	}))
}

func (a *API) removeBoxUser(r *request) error {
	return r.noContent(a.vault.RemoveBoxUser(r.ctx(), r.by, r.param("box"), r.param("username")))
}

func (a *API) listPermissions(r *request) error {
	user, err := a.vault.DescribeBoxUser(r.ctx(), r.by, r.param("box"), r.param("username"))
	return r.json(user.Permissions.Names(), err)
}

func (a *API) setPermissions(r *request) error {
	names, err := bindOptional[[]string](r)
	if err != nil {
		return err
	}
	return a.replacePermissions(r, names)
}

func (a *API) clearPermissions(r *request) error { return a.replacePermissions(r, nil) }

func (a *API) replacePermissions(r *request, names []string) error {
	return r.noContent(a.vault.SetPermissions(r.ctx(), r.by,
		vault.SetPermissions{Box: r.param("box"), Username: r.param("username"), Names: names}))
}
