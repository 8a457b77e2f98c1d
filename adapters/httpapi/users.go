package httpapi

import "github.com/lockbox-go/lockbox/domain/identity"

// listUsers answers GET /users with the usernames. Only admins may list them.
func (a *API) listUsers(r *request) error {
	return r.json(a.identity.ListUsers(r.ctx(), r.by))
}

// createUser answers POST /users. The response has no body, so the first API key of the new user is in a header.
func (a *API) createUser(r *request) error {
	body, err := bind[struct {
		Username string `json:"username"`
		Password string `json:"password"`
		Role     string `json:"role"`
		Identity string `json:"identity"`
	}](r)
	if err != nil {
		return err
	}
	user, err := a.identity.CreateUser(r.ctx(), r.by,
		identity.CreateUser{
			Username: body.Username,
			Password: body.Password,
			Role:     body.Role,
			Identity: body.Identity,
		})
	if err != nil {
		return err
	}
	r.Response().Header().Set(headerAPIKey, user.APIKey)
	return r.created("users", string(user.Name))
}

// userBody is a user in a response. APIKeys contains the ids of the usable keys. If LOCKBOX_SHOW_API_KEYS is on, it
// contains the whole keys instead. Permissions contains every permission that the user has in at least one box. Boxes
// in which the user is not active do not count.
type userBody struct {
	Username    string   `json:"username"`
	Role        string   `json:"role"`
	IsActive    bool     `json:"isActive"`
	CreatedAt   string   `json:"createdAt"`
	UpdatedAt   string   `json:"updatedAt"`
	APIKeys     []string `json:"apiKeys"`
	Permissions []string `json:"permissions"`
}

// describeUser answers GET /users/{username}. Admins may describe any user; other users may describe only themselves.
func (a *API) describeUser(r *request) error {
	seen, err := a.identity.DescribeUser(r.ctx(), r.by, r.param("username"))
	if err != nil {
		return err
	}
	r.Response().Header().Set(headerUserID, seen.User.ID.String())
	return r.json(userBody{
		Username:    string(seen.User.Name),
		Role:        seen.User.Role.String(),
		IsActive:    seen.User.Active,
		CreatedAt:   seen.User.CreatedAt.Format(wholeSeconds),
		UpdatedAt:   seen.User.UpdatedAt.Format(wholeSeconds),
		APIKeys:     seen.APIKeys,
		Permissions: seen.Permissions.Names(),
	}, nil)
}

// updateUserBody is the body of PUT /users/{username}. Fields that are absent or null change nothing.
type updateUserBody struct {
	Role            *string  `json:"role"`
	IsActive        *bool    `json:"isActive"`
	Password        *string  `json:"password"`
	CurrentPassword string   `json:"currentPassword"`
	Code            codeText `json:"code"`
	RevokeAPIKeys   bool     `json:"revokeApiKeys"`
	Group           *string  `json:"group"`
}

// updateUser answers PUT /users/{username}. The use case decides for each field whether the caller may change it.
func (a *API) updateUser(r *request) error {
	body, err := bind[updateUserBody](r)
	if err != nil {
		return err
	}
	return r.noContent(a.identity.UpdateUser(r.ctx(), r.by, identity.UpdateUser{
		Username:        r.param("username"),
		Role:            body.Role,
		Active:          body.IsActive,
		Password:        body.Password,
		CurrentPassword: body.CurrentPassword,
		Code:            string(body.Code),
		RevokeAPIKeys:   body.RevokeAPIKeys,
		Group:           body.Group,
	}))
}

// deleteUser answers DELETE /users/{username}. Users who own boxes cannot be deleted.
func (a *API) deleteUser(r *request) error {
	return r.noContent(a.identity.DeleteUser(r.ctx(), r.by, r.param("username")))
}
