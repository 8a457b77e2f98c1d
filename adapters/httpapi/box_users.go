package httpapi

import (
	"strings"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/vault"
)

// listBoxUsers answers GET /boxes/{box}/users with the usernames of the members.
func (a *API) listBoxUsers(r *request) error {
	users, err := a.vault.ListBoxUsers(r.ctx(), r.by, r.param("box"))
	names := make([]domain.UserName, len(users))
	for i, user := range users {
		names[i] = user.Name
	}
	return r.json(names, err)
}

// addBoxUser answers POST /boxes/{box}/users. If the body contains no role, the new member is a boxuser.
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

// describeBoxUser answers GET /boxes/{box}/users/{username}.
func (a *API) describeBoxUser(r *request) error {
	user, err := a.vault.DescribeBoxUser(r.ctx(), r.by, r.param("box"), r.param("username"))
	if err != nil {
		return err
	}
	r.Response().Header().Set(headerUserID, user.User.String())
	// This route returns permissions in lower case, but …/permissions returns them in camel case. Existing clients rely
	// on both forms.
	permissions := user.Permissions.Names()
	for i, name := range permissions {
		permissions[i] = strings.ToLower(name)
	}
	return r.json(struct {
		boxUserLine
		Permissions []string `json:"permissions"`
	}{boxUserLine{string(user.Name), user.Role.String(), user.Active}, permissions}, nil)
}

// updateBoxUser answers PUT /boxes/{box}/users/{username}. A request without a body changes nothing.
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

// removeBoxUser answers DELETE /boxes/{box}/users/{username}. Members may remove themselves. The owner of the box and
// its last boxadmin cannot be removed.
func (a *API) removeBoxUser(r *request) error {
	return r.noContent(a.vault.RemoveBoxUser(r.ctx(), r.by, r.param("box"), r.param("username")))
}

// listPermissions answers GET /boxes/{box}/users/{username}/permissions.
func (a *API) listPermissions(r *request) error {
	user, err := a.vault.DescribeBoxUser(r.ctx(), r.by, r.param("box"), r.param("username"))
	return r.json(user.Permissions.Names(), err)
}

// setPermissions answers PUT …/permissions. An empty list, null and an absent body remove all permissions.
func (a *API) setPermissions(r *request) error {
	names, err := bindOptional[[]string](r)
	if err != nil {
		return err
	}
	return a.replacePermissions(r, names)
}

// clearPermissions answers DELETE …/permissions.
func (a *API) clearPermissions(r *request) error { return a.replacePermissions(r, nil) }

// replacePermissions sets exactly the given permissions. If a name is unknown, no permission changes.
func (a *API) replacePermissions(r *request, names []string) error {
	return r.noContent(a.vault.SetPermissions(r.ctx(), r.by,
		vault.SetPermissions{Box: r.param("box"), Username: r.param("username"), Names: names}))
}
