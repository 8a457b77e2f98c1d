package client

import (
	"context"
	"net/http"
	"time"
)

// The system roles.
const (
	RoleUser  = "user"
	RoleAdmin = "admin"
)

// The groups of the accounts API. A manager also has the rights of a viewer, and the owner has the rights of both.
// GroupNone in UserChange removes a user from its group.
const (
	GroupViewer  = "viewer"
	GroupManager = "manager"
	GroupOwner   = "owner"
	GroupNone    = "none"
)

const (
	userPath = "/users/{username}"

	// userIDHeader carries the id of a user in responses that describe the user.
	userIDHeader = "X-Lockbox-User-Id"
)

// User describes a user, for admins and for that user.
type User struct {
	ID        string    `json:"-"`
	Username  string    `json:"username"`
	Role      string    `json:"role"`
	IsActive  bool      `json:"isActive"`
	CreatedAt time.Time `json:"createdAt"`
	UpdatedAt time.Time `json:"updatedAt"`
	// APIKeys are the ids of the API keys that are neither expired nor revoked. On a server with the setting
	// LOCKBOX_SHOW_API_KEYS, APIKeys are the whole keys. For this reason, their type is Secret.
	APIKeys []Secret `json:"apiKeys"`
	// Permissions are the permissions that the user has in at least one box.
	Permissions []Permission `json:"permissions"`
}

// Identity describes the user and the token of a request.
type Identity struct {
	// Installation is the id of the installation, and ID is the id of the user.
	Installation string `json:"installation"`
	ID           string `json:"id"`

	Username string `json:"username"`
	Role     string `json:"role"`
	// Group is GroupViewer, GroupManager or GroupOwner, or "" for a user without a group.
	Group string    `json:"group,omitempty"`
	Token TokenInfo `json:"token"`
}

// TokenInfo describes the token of a request. It does not contain the token itself.
type TokenInfo struct {
	// Kind is "api-key", "session" (from Client.SignIn) or "access-token" (from Accounts.SignIn).
	Kind string `json:"kind"`
	ID   string `json:"id"`
	// Name is the name of an API key, if it has one.
	Name string `json:"name"`
	// ExpiresAt is the zero time for a token that never expires.
	ExpiresAt time.Time `json:"expiresAt,omitzero"`
}

// FirstUser is the future owner of a new Lockbox.
type FirstUser struct {
	Username string
	Password Secret
	// InitToken must equal the server's LOCKBOX_INIT_TOKEN, if that is set.
	InitToken Secret
}

// Initialize creates the owner of a new Lockbox and returns an API key of the owner. It succeeds once per installation;
// later calls return ErrConflict (already_initialized). It needs no token.
func (c *Client) Initialize(ctx context.Context, user FirstUser) (Secret, error) {
	k := post("/init", passwordBody{Username: user.Username, Password: user.Password.Reveal()}, http.StatusOK)
	k.anonymous = true
	if !user.InitToken.IsZero() {
		if !isHeaderText(user.InitToken.Reveal()) {
			return Secret{}, invalid("invalid_init_token", "InitToken",
				"InitToken contains characters that a header cannot carry: check it for a trailing line end")
		}
		k.header = http.Header{"X-Init-Token": {user.InitToken.Reveal()}}
	}
	return c.apiKey(ctx, k)
}

// passwordBody is the request body of sign-in and of user creation.
type passwordBody struct {
	Username string `json:"username"`
	Password string `json:"password,omitempty"`
	Role     string `json:"role,omitempty"`
	Code     string `json:"code,omitempty"`
	Identity string `json:"identity,omitempty"`
}

// WhoAmI returns the user and the details of the client's token.
func (c *Client) WhoAmI(ctx context.Context) (*Identity, error) {
	identity, err := fetch[Identity](ctx, c, get("/whoami"))
	if err != nil {
		return nil, err
	}
	return &identity, nil
}

// ListUsers returns the names of all users, sorted. Only admins may call ListUsers.
func (c *Client) ListUsers(ctx context.Context) ([]string, error) {
	return fetch[[]string](ctx, c, get("/users"))
}

// NewUser is the input of CreateUser.
type NewUser struct {
	Username string
	Password Secret
	// Role is RoleUser or RoleAdmin; "" means RoleUser.
	Role string
	// Identity is the public key ("lbpk1_…") of a program. People store their own public key with WriteIdentity.
	Identity string
}

// CreateUser creates a user and returns an API key of this user. It returns ErrConflict (user_exists) if the name is
// taken. Only admins may call CreateUser, except on a server with open registration. If the caller is not an admin, the
// new user has the role RoleUser.
func (c *Client) CreateUser(ctx context.Context, user NewUser) (Secret, error) {
	body := passwordBody{
		Username: user.Username,
		Password: user.Password.Reveal(),
		Role:     user.Role,
		Identity: user.Identity,
	}
	k := post("/users", body, http.StatusCreated)
	got, err := c.do(ctx, k)
	if err != nil {
		return Secret{}, err
	}
	key := got.header.Get("X-API-Key")
	if key == "" {
		return Secret{}, badResponse(k, "the response has no X-API-Key header: check whether a proxy removes it")
	}
	return NewSecret(key), nil
}

// DescribeUser returns a user. Admins may describe every user, and other users only themselves.
func (c *Client) DescribeUser(ctx context.Context, username string) (*User, error) {
	type fields User
	k := get(userPath, username)
	answer, err := c.do(ctx, k)
	if err != nil {
		return nil, err
	}
	got, err := decode[struct {
		fields

		CreatedAt wholeSeconds `json:"createdAt"`
		UpdatedAt wholeSeconds `json:"updatedAt"`
	}](answer, k)
	if err != nil {
		return nil, err
	}
	user := User(got.fields)
	user.ID = answer.header.Get(userIDHeader)
	user.CreatedAt, user.UpdatedAt = time.Time(got.CreatedAt), time.Time(got.UpdatedAt)
	return &user, nil
}

// UserChange lists the changes of UpdateUser. Zero fields change nothing.
type UserChange struct {
	// Role is RoleUser or RoleAdmin.
	Role string
	// Group is one of the groups, or GroupNone. Only the owner may set it. GroupOwner transfers the ownership of the
	// installation.
	Group string
	// IsActive deactivates or activates the user. Deactivation revokes all sessions and API keys.
	IsActive *bool
	// Password is the new password. A new password revokes all sessions. Users who change their own password must also
	// set CurrentPassword. Users who have no password yet must set Code instead.
	Password, CurrentPassword Secret
	// Code is a TOTP code or a recovery code. Users must send it when they set their first password.
	Code Secret
	// If RevokeAPIKeys and Password are set, UpdateUser also revokes all API keys of the user.
	RevokeAPIKeys bool
}

// UpdateUser changes a user. It returns ErrForbidden if CurrentPassword is wrong, or if Code is wrong or missing.
// Admins may change every user, but only the owner may change the owner's account. Other users may change only their
// own password.
func (c *Client) UpdateUser(ctx context.Context, username string, change UserChange) error {
	k := put(userPath, struct {
		Role            string `json:"role,omitempty"`
		Group           string `json:"group,omitempty"`
		IsActive        *bool  `json:"isActive,omitempty"`
		Password        string `json:"password,omitempty"`
		CurrentPassword string `json:"currentPassword,omitempty"`
		Code            string `json:"code,omitempty"`
		RevokeAPIKeys   bool   `json:"revokeApiKeys,omitempty"`
	}{
		change.Role,
		change.Group,
		change.IsActive,
		change.Password.Reveal(),
		change.CurrentPassword.Reveal(),
		change.Code.Reveal(),
		change.RevokeAPIKeys,
	}, username)
	// Some changes revoke the caller's token or the caller's right to make the change. The server would refuse a retry
	// of such a change.
	k.idempotent = change.Password.IsZero() && change.Group != GroupOwner && !change.RevokeAPIKeys
	return c.run(ctx, k)
}

// DeleteUser deletes a user. It returns ErrConflict if the user owns boxes (user_owns_boxes) or is the owner of the
// installation (owner_stays). The client does not retry DeleteUser after a lost response. Only admins may call
// DeleteUser.
func (c *Client) DeleteUser(ctx context.Context, username string) error {
	k := remove(userPath, "user_not_found", username)
	k.idempotent = false // a new user may have taken the name in the meantime
	return c.run(ctx, k)
}
