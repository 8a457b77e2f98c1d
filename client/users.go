package client

import (
	"context"
	"net/http"
	"time"
)

// The roles in the system.
const (
	RoleUser  = "user"
	RoleAdmin = "admin"
)

// The groups of accounts, each including the one before. GroupNone takes a user out of its group.
const (
	GroupViewer  = "viewer"
	GroupManager = "manager"
	GroupOwner   = "owner"
	GroupNone    = "none"
)

const userPath = "/users/{username}"

// User is a user as admins and itself see it.
type User struct {
	Username  string    `json:"username"`
	Role      string    `json:"role"`
	IsActive  bool      `json:"isActive"`
	CreatedAt time.Time `json:"createdAt"`
	UpdatedAt time.Time `json:"updatedAt"`
	// APIKeys are the ids of the usable API keys; the keys themselves where the server is set to show them, which is why
	// they do not print.
	APIKeys []Secret `json:"apiKeys"`
	// Permissions are those that the user has in at least one box.
	Permissions []Permission `json:"permissions"`
}

// Identity is whose token it is.
type Identity struct {
	Username string `json:"username"`
	Role     string `json:"role"`
	// Group is "" for a user without one.
	Group string    `json:"group,omitempty"`
	Token TokenInfo `json:"token"`
}

// TokenInfo is what the server knows of the token that a request brought.
type TokenInfo struct {
	// Kind is "api-key" or that of a session.
	Kind string `json:"kind"`
	ID   string `json:"id"`
	Name string `json:"name"`
	// ExpiresAt is the zero time when it never ends.
	ExpiresAt time.Time `json:"expiresAt,omitzero"`
}

// FirstUser is who becomes the owner of a new Lockbox.
type FirstUser struct {
	Username string
	Password Secret
	// InitToken is what the server's LOCKBOX_INIT_TOKEN is set to.
	InitToken Secret
}

// Initialize makes the owner of a new Lockbox and returns an API key of its. It works once ever: ErrConflict
// (already_initialized) afterwards.
func (c *Client) Initialize(ctx context.Context, user FirstUser) (Secret, error) {
	k := post("/init", passwordBody{user.Username, user.Password.Reveal(), "", ""}, http.StatusOK)
	k.nobody = true
	if !user.InitToken.IsZero() {
		if !isHeaderText(user.InitToken.Reveal()) {
			return Secret{}, invalid("invalid_init_token", "InitToken",
				"InitToken cannot stand in a header: was it cut out with a line end?")
		}
		k.header = http.Header{"X-Init-Token": {user.InitToken.Reveal()}}
	}
	return c.apiKey(ctx, k)
}

// passwordBody is how somebody names itself in a body.
type passwordBody struct {
	Username string `json:"username"`
	Password string `json:"password,omitempty"`
	Role     string `json:"role,omitempty"`
	Code     string `json:"code,omitempty"`
}

// WhoAmI returns whose the token is.
func (c *Client) WhoAmI(ctx context.Context) (*Identity, error) {
	who, err := fetch[Identity](ctx, c, get("/whoami"))
	if err != nil {
		return nil, err
	}
	return &who, nil
}

// ListUsers returns the names of all users, sorted. Admins may.
func (c *Client) ListUsers(ctx context.Context) ([]string, error) {
	return fetch[[]string](ctx, c, get("/users"))
}

// NewUser is a user to be.
type NewUser struct {
	Username string
	Password Secret
	// Role is RoleUser or RoleAdmin; "" the first.
	Role string
}

// CreateUser makes a user and returns an API key of its. Admins may, and anybody where the server lets anybody register.
// It returns ErrConflict (user_exists) when the name is taken.
func (c *Client) CreateUser(ctx context.Context, user NewUser) (Secret, error) {
	k := post("/users", passwordBody{user.Username, user.Password.Reveal(), user.Role, ""}, http.StatusCreated)
	got, err := c.do(ctx, k)
	if err != nil {
		return Secret{}, err
	}
	key := got.header.Get("X-API-Key")
	if key == "" {
		return Secret{}, badAnswer(k, "the answer has no X-API-Key: does a proxy take it out?")
	}
	return NewSecret(key), nil
}

// DescribeUser returns a user. Admins and the user itself may.
func (c *Client) DescribeUser(ctx context.Context, username string) (*User, error) {
	type fields User
	got, err := fetch[struct {
		fields

		CreatedAt wholeSeconds `json:"createdAt"`
		UpdatedAt wholeSeconds `json:"updatedAt"`
	}](ctx, c, get(userPath, username))
	if err != nil {
		return nil, err
	}
	user := User(got.fields)
	user.CreatedAt, user.UpdatedAt = time.Time(got.CreatedAt), time.Time(got.UpdatedAt)
	return &user, nil
}

// UserChange is what to change about a user.
type UserChange struct {
	// Role is RoleUser or RoleAdmin; "" leaves it.
	Role string
	// Group is one of the groups, or GroupNone; "" leaves it. The owner may change it, and hands its place over with
	// GroupOwner.
	Group string
	// IsActive false ends all sessions and API keys; nil leaves it.
	IsActive *bool
	// Password is a new one, which ends all sessions. The user itself sends CurrentPassword with it.
	Password, CurrentPassword Secret
	// RevokeAPIKeys ends all API keys, together with a new password.
	RevokeAPIKeys bool
}

// UpdateUser changes a user. Admins may; the user itself its password. It returns ErrForbidden for a wrong
// CurrentPassword, and for the owner's account.
func (c *Client) UpdateUser(ctx context.Context, username string, change UserChange) error {
	k := put(userPath, struct {
		Role            string `json:"role,omitempty"`
		Group           string `json:"group,omitempty"`
		IsActive        *bool  `json:"isActive,omitempty"`
		Password        string `json:"password,omitempty"`
		CurrentPassword string `json:"currentPassword,omitempty"`
		RevokeAPIKeys   bool   `json:"revokeApiKeys,omitempty"`
	}{change.Role, change.Group, change.IsActive, change.Password.Reveal(), change.CurrentPassword.Reveal(),
		change.RevokeAPIKeys}, username)
	// What ends sessions, or the right to ask, would be refused a second time.
	k.again = change.Password.IsZero() && change.Group != GroupOwner && !change.RevokeAPIKeys
	return c.run(ctx, k)
}

// DeleteUser deletes a user. Admins may. It returns ErrConflict for who owns boxes (user_owns_boxes) and for the owner of
// the system (owner_stays).
func (c *Client) DeleteUser(ctx context.Context, username string) error {
	k := remove(userPath, "user_not_found", username)
	k.again = false // somebody may have made a user of that name meanwhile
	return c.run(ctx, k)
}
