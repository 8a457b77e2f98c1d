package client

import (
	"context"
	"net/http"
	"strings"
	"time"
)

const boxPath = "/boxes/{box}"

// Box describes a box, for its members and for admins.
type Box struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Owner string `json:"owner"`
	// Offer is the open offer to make a member the owner of the box. It is nil if there is no open offer.
	Offer     *BoxOffer `json:"offer,omitempty"`
	CreatedAt time.Time `json:"createdAt"`
	// UpdatedAt is the time of the latest change to the box or to one of its entries.
	UpdatedAt time.Time `json:"updatedAt"`
	// Entries lists the keys of the entries, sorted. It is empty if the caller lacks the permission readEntryKeys.
	Entries []string `json:"entries"`
	Users   []Member `json:"users"`
	// Encryption is empty if the box has no keyring. Otherwise it states where the values are encrypted: on the
	// "server" or on the "client". With "client", the server never sees the key.
	Encryption string `json:"encryption"`
	// Keyring describes the keyring. It is nil if the box has no keyring.
	Keyring *BoxKeyring `json:"keyring"`
}

// BoxKeyring describes the keyring of a box. ReadKeyring returns the keyring itself.
type BoxKeyring struct {
	KeyID    string `json:"keyId"`
	Sequence uint64 `json:"sequence"`
	// KeyChangeDue reports whether the key should be changed. It is true if a recipient is no longer an active member.
	// It is also true if a recipient has replaced the identity for which the key was encrypted.
	KeyChangeDue bool `json:"keyChangeDue"`
}

// BoxOffer offers a member the ownership of a box.
type BoxOffer struct {
	To        string    `json:"to"`
	ExpiresAt time.Time `json:"expiresAt"`
}

// Member is a member of a box.
type Member struct {
	Username string `json:"username"`
	// Role is RoleBoxUser or RoleBoxAdmin.
	Role string `json:"role"`
	// IsActive is false for a member who currently has no access to the box.
	IsActive bool `json:"isActive"`
}

// wholeSeconds decodes the times in descriptions of boxes and users. The server writes these times in UTC and without
// fractions of a second.
type wholeSeconds time.Time

// UnmarshalText parses "2006-01-02 15:04:05".
func (w *wholeSeconds) UnmarshalText(text []byte) error {
	at, err := time.Parse(time.DateTime, string(text))
	*w = wholeSeconds(at)
	return err
}

// ListBoxes returns the sorted names of the boxes in which the caller is an active member.
func (c *Client) ListBoxes(ctx context.Context) ([]string, error) {
	return fetch[[]string](ctx, c, get("/boxes"))
}

// CreateBox creates a box. The caller becomes the owner of the box and a boxadmin with all permissions. CreateBox
// returns ErrConflict if the name is taken (box_exists) or the caller owns the maximum number of boxes (limit_reached).
func (c *Client) CreateBox(ctx context.Context, box string) error {
	return c.run(ctx, post(boxPath, nil, http.StatusCreated, box))
}

// DescribeBox returns a box with its members and keys. It returns ErrNotFound unless the caller is an active member or
// an admin.
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

// TransferBox offers the ownership of the box to another active member. This member can accept the offer with AcceptBox
// within seven days. If the caller is an admin, the box is transferred at once, without an offer. Only the box's owner
// and admins may call TransferBox.
func (c *Client) TransferBox(ctx context.Context, box, newOwner string) error {
	k := put(boxPath, map[string]string{"owner": newOwner}, box)
	k.idempotent = false // a retry could repeat an offer that was ended after the first attempt
	return c.run(ctx, k)
}

// AcceptBox accepts the offer of a box: the caller becomes the owner of the box. AcceptBox returns ErrNotFound
// (box_offer_not_found) if there is no open offer, and ErrConflict (limit_reached) if the caller owns the maximum
// number of boxes.
func (c *Client) AcceptBox(ctx context.Context, box string) error {
	k := post(boxPath+"/offer/accept", nil, http.StatusNoContent, box)
	return c.run(ctx, k)
}

// EndBoxOffer ends the offer of a box. The owner of the box and admins can withdraw the offer; the member to whom it
// was made can decline it.
func (c *Client) EndBoxOffer(ctx context.Context, box string) error {
	return c.run(ctx, remove(boxPath+"/offer", "box_offer_not_found", box))
}

// DeleteBox permanently deletes a box with all entries and versions. It is not retried after a lost response. Only
// boxadmins and admins may call DeleteBox.
func (c *Client) DeleteBox(ctx context.Context, box string) error {
	k := remove(boxPath, "box_not_found", box)
	k.idempotent = false // a new box may have taken the name in the meantime
	return c.run(ctx, k)
}

// The roles in a box.
const (
	RoleBoxUser  = "boxuser"
	RoleBoxAdmin = "boxadmin"
)

// Permission allows a member one kind of access to the entries of a box.
type Permission string

// The permissions, in the order in which the server lists them.
const (
	PermissionReadEntryKeys Permission = "readEntryKeys"
	PermissionReadEntry     Permission = "readEntry"
	PermissionCreateEntry   Permission = "createEntry"
	PermissionDeleteEntry   Permission = "deleteEntry"
)

// Permissions returns all permissions, in the order in which the server lists them.
func Permissions() []Permission {
	return []Permission{
		PermissionReadEntryKeys,
		PermissionReadEntry,
		PermissionCreateEntry,
		PermissionDeleteEntry,
	}
}

// BoxUser is a member of a box, with the permissions of the member.
type BoxUser struct {
	Member

	// ID is the id of the user.
	ID string `json:"-"`

	Permissions []Permission `json:"permissions"`
}

const (
	boxUsersPath    = "/boxes/{box}/users"
	boxUserPath     = "/boxes/{box}/users/{username}"
	permissionsPath = "/boxes/{box}/users/{username}/permissions"
)

// ListBoxUsers returns the names of a box's members, sorted. Only boxadmins and admins may call ListBoxUsers and the
// methods below, unless the comment of a method names other callers.
func (c *Client) ListBoxUsers(ctx context.Context, box string) ([]string, error) {
	return fetch[[]string](ctx, c, get(boxUsersPath, box))
}

// AddBoxUser makes a user a member of a box, with the permissions readEntryKeys and readEntry. The role is RoleBoxUser
// or RoleBoxAdmin; "" means RoleBoxUser. AddBoxUser returns ErrNotFound (user_not_found) if the user does not exist,
// and ErrConflict if the user is already a member (box_user_exists) or the box is full (limit_reached).
func (c *Client) AddBoxUser(ctx context.Context, box, username, role string) error {
	return c.run(ctx, post(boxUsersPath, struct {
		Username string `json:"username"`
		Role     string `json:"role,omitempty"`
	}{username, role}, http.StatusCreated, box))
}

// DescribeBoxUser returns a member of a box. Boxadmins and admins may describe every member, and other members only
// themselves.
func (c *Client) DescribeBoxUser(ctx context.Context, box, username string) (*BoxUser, error) {
	k := get(boxUserPath, box, username)
	got, err := c.do(ctx, k)
	if err != nil {
		return nil, err
	}
	user, err := decode[BoxUser](got, k)
	user.ID = got.header.Get(userIDHeader)
	return pointer(user, err)
}

// UnmarshalText decodes a permission in any letter case, because one of the responses contains permissions in lower
// case. It keeps unknown permissions of newer servers unchanged.
func (p *Permission) UnmarshalText(text []byte) error {
	*p = Permission(text)
	for _, known := range Permissions() {
		if strings.EqualFold(string(known), string(text)) {
			*p = known
		}
	}
	return nil
}

// BoxUserChange lists the changes of UpdateBoxUser. Zero fields change nothing.
type BoxUserChange struct {
	// Role is RoleBoxUser or RoleBoxAdmin.
	Role string
	// IsActive grants or withdraws the member's access to the box.
	IsActive *bool
}

// UpdateBoxUser changes a member of a box. It returns ErrConflict for a change that would deactivate the owner of the
// box, or take the role boxadmin from the owner.
func (c *Client) UpdateBoxUser(ctx context.Context, box, username string, change BoxUserChange) error {
	return c.run(ctx, put(boxUserPath, struct {
		Role     string `json:"role,omitempty"`
		IsActive *bool  `json:"isActive,omitempty"`
	}{change.Role, change.IsActive}, box, username))
}

// RemoveBoxUser removes a member from a box. It returns ErrConflict if the member is the owner or the last boxadmin of
// the box.
func (c *Client) RemoveBoxUser(ctx context.Context, box, username string) error {
	return c.run(ctx, remove(boxUserPath, "box_user_not_found", box, username))
}

// ListPermissions returns a member's permissions in a box. Boxadmins and admins may call ListPermissions for every
// member, and other members only for themselves.
func (c *Client) ListPermissions(ctx context.Context, box, username string) ([]Permission, error) {
	return fetch[[]Permission](ctx, c, get(permissionsPath, box, username))
}

// SetPermissions replaces a member's permissions in a box. An empty list removes all of them.
func (c *Client) SetPermissions(ctx context.Context, box, username string, permissions []Permission) error {
	if permissions == nil {
		permissions = []Permission{}
	}
	return c.run(ctx, put(permissionsPath, permissions, box, username))
}

// ClearPermissions removes all permissions of a member. The member stays in the box.
func (c *Client) ClearPermissions(ctx context.Context, box, username string) error {
	k := remove(permissionsPath, "", box, username)
	k.alreadyDone = nil // the server accepts the request for a member without permissions
	return c.run(ctx, k)
}
