package client

import (
	"context"
	"net/http"
	"strings"
	"time"
)

const boxPath = "/boxes/{box}"

// Box is a box as those who are in it see it.
type Box struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Owner     string    `json:"owner"`
	CreatedAt time.Time `json:"createdAt"`
	// UpdatedAt is the latest change of the box or of one of its entries.
	UpdatedAt time.Time `json:"updatedAt"`
	// Entries are the keys, sorted; none without the permission readEntryKeys.
	Entries []string `json:"entries"`
	Users   []Member `json:"users"`
}

// Member is a user of a box.
type Member struct {
	Username string `json:"username"`
	Role     string `json:"role"`
	IsActive bool   `json:"isActive"`
}

// wholeSeconds is how the server writes the times of boxes and users, in UTC.
type wholeSeconds time.Time

// UnmarshalText reads "2006-01-02 15:04:05".
func (w *wholeSeconds) UnmarshalText(text []byte) error {
	at, err := time.Parse(time.DateTime, string(text))
	*w = wholeSeconds(at)
	return err
}

// ListBoxes returns the names of the boxes that the user is active in, sorted.
func (c *Client) ListBoxes(ctx context.Context) ([]string, error) {
	return fetch[[]string](ctx, c, get("/boxes"))
}

// CreateBox makes a box, whose owner and boxadmin with all permissions the user becomes. It returns ErrConflict when the
// name is taken (box_exists) or the user may not own another one (limit_reached).
func (c *Client) CreateBox(ctx context.Context, box string) error {
	return c.run(ctx, post(boxPath, nil, http.StatusCreated, box))
}

// DescribeBox returns what a box is made of, for its users and for admins. It returns ErrNotFound for a box that the user
// has no part in.
func (c *Client) DescribeBox(ctx context.Context, box string) (*Box, error) {
	type fields Box
	got, err := fetch[struct {
		fields

		CreatedAt wholeSeconds `json:"createdAt"`
		UpdatedAt wholeSeconds `json:"updatedAt"`
	}](ctx, c, get(boxPath, box))
	if err != nil {
		return nil, err
	}
	described := Box(got.fields)
	described.CreatedAt, described.UpdatedAt = time.Time(got.CreatedAt), time.Time(got.UpdatedAt)
	return &described, nil
}

// TransferBox makes another active user of the box its owner. The owner of the box and admins may.
func (c *Client) TransferBox(ctx context.Context, box, newOwner string) error {
	k := put(boxPath, map[string]string{"owner": newOwner}, box)
	k.again = false // who was the owner is not any more, and would be told 403
	return c.run(ctx, k)
}

// DeleteBox deletes a box with all entries and versions, at once and for ever. Its boxadmins and admins may.
func (c *Client) DeleteBox(ctx context.Context, box string) error {
	k := remove(boxPath, "box_not_found", box)
	k.again = false // somebody may have made a box of that name meanwhile
	return c.run(ctx, k)
}

// The roles in a box.
const (
	RoleBoxUser  = "boxuser"
	RoleBoxAdmin = "boxadmin"
)

// Permission is what a user may do with the entries of a box.
type Permission string

// The permissions, in the order in which the server lists them.
const (
	PermissionReadEntryKeys Permission = "readEntryKeys"
	PermissionReadEntry     Permission = "readEntry"
	PermissionCreateEntry   Permission = "createEntry"
	PermissionDeleteEntry   Permission = "deleteEntry"
)

// BoxUser is a user of a box with what it may do there.
type BoxUser struct {
	Member

	Permissions []Permission `json:"permissions"`
}

const (
	boxUsersPath    = "/boxes/{box}/users"
	boxUserPath     = "/boxes/{box}/users/{username}"
	permissionsPath = "/boxes/{box}/users/{username}/permissions"
)

// ListBoxUsers returns the names of a box's users. Its boxadmins and admins may, here and in what follows.
func (c *Client) ListBoxUsers(ctx context.Context, box string) ([]string, error) {
	return fetch[[]string](ctx, c, get(boxUsersPath, box))
}

// AddBoxUser lets a user into a box, to read keys and entries; role is RoleBoxUser or RoleBoxAdmin, "" the first. It returns
// ErrNotFound (user_not_found) and ErrConflict (box_user_exists).
func (c *Client) AddBoxUser(ctx context.Context, box, username, role string) error {
	return c.run(ctx, post(boxUsersPath, struct {
		Username string `json:"username"`
		Role     string `json:"role,omitempty"`
	}{username, role}, http.StatusCreated, box))
}

// DescribeBoxUser returns a user of a box. The user itself may ask too.
func (c *Client) DescribeBoxUser(ctx context.Context, box, username string) (*BoxUser, error) {
	user, err := fetch[BoxUser](ctx, c, get(boxUserPath, box, username))
	if err != nil {
		return nil, err
	}
	return &user, nil
}

// UnmarshalText reads a permission in any letter case: one of the requests writes them in lower case.
func (p *Permission) UnmarshalText(text []byte) error {
	*p = Permission(text)
	for _, known := range []Permission{PermissionReadEntryKeys, PermissionReadEntry, PermissionCreateEntry,
		PermissionDeleteEntry} {
		if strings.EqualFold(string(known), string(text)) {
			*p = known
		}
	}
	return nil
}

// BoxUserChange is what to change about a user of a box.
type BoxUserChange struct {
	// Role is RoleBoxUser or RoleBoxAdmin; "" leaves it.
	Role string
	// IsActive lets the user take part or not; nil leaves it.
	IsActive *bool
}

// UpdateBoxUser changes a user of a box. The owner of the box stays an active boxadmin: ErrConflict.
func (c *Client) UpdateBoxUser(ctx context.Context, box, username string, change BoxUserChange) error {
	return c.run(ctx, put(boxUserPath, struct {
		Role     string `json:"role,omitempty"`
		IsActive *bool  `json:"isActive,omitempty"`
	}{change.Role, change.IsActive}, box, username))
}

// RemoveBoxUser takes a user out of a box. The owner and the last boxadmin stay: ErrConflict.
func (c *Client) RemoveBoxUser(ctx context.Context, box, username string) error {
	return c.run(ctx, remove(boxUserPath, "box_user_not_found", box, username))
}

// ListPermissions returns what a user may do in a box. The user itself may ask too.
func (c *Client) ListPermissions(ctx context.Context, box, username string) ([]Permission, error) {
	return fetch[[]Permission](ctx, c, get(permissionsPath, box, username))
}

// SetPermissions gives a user exactly these permissions in a box, and none for an empty list.
func (c *Client) SetPermissions(ctx context.Context, box, username string, permissions []Permission) error {
	if permissions == nil {
		permissions = []Permission{}
	}
	return c.run(ctx, put(permissionsPath, permissions, box, username))
}

// ClearPermissions takes all permissions in a box from a user, who stays in it.
func (c *Client) ClearPermissions(ctx context.Context, box, username string) error {
	k := remove(permissionsPath, "", box, username)
	k.gone = nil // clearing what is clear is no failure
	return c.run(ctx, k)
}
