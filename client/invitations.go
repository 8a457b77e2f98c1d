package client

import (
	"context"
	"net/http"
	"time"
)

// NewInvitation is the input of InviteUser.
type NewInvitation struct {
	Username string
	// Role is RoleUser or RoleAdmin; "" means RoleUser.
	Role string
	// Expiry is in one of the formats of APIKeyOptions.Expiry, at most 30 days; "" means 7 days.
	Expiry string
}

// InvitationCode is a new invitation with its code, which the server does not show again.
type InvitationCode struct {
	Username string `json:"username"`
	Role     string `json:"role"`
	// Code lets its holder create the user, once. Pass it on over a channel that only the invited person reads.
	Code      Secret    `json:"code"`
	ExpiresAt time.Time `json:"expiresAt"`
}

// Invitation describes an open invitation, without its code.
type Invitation struct {
	Username  string    `json:"username"`
	Role      string    `json:"role"`
	InvitedBy string    `json:"invitedBy"`
	CreatedAt time.Time `json:"createdAt"`
	ExpiresAt time.Time `json:"expiresAt"`
}

// InviteUser makes an invitation and replaces an earlier one for the name. It creates no user. It returns ErrConflict
// for a name that is taken (user_exists). It is not retried after a lost response: the code is lost, so invite again.
// Allowed for admins.
func (c *Client) InviteUser(ctx context.Context, invitation NewInvitation) (*InvitationCode, error) {
	k := post("/invitations", struct {
		Username string `json:"username"`
		Role     string `json:"role,omitempty"`
		Expiry   string `json:"expiry,omitempty"`
	}{invitation.Username, invitation.Role, invitation.Expiry}, http.StatusCreated)
	made, err := fetch[InvitationCode](ctx, c, k)
	if err != nil {
		return nil, err
	}
	if made.Code.IsZero() {
		return nil, badResponse(k, "the response contains no code")
	}
	return &made, nil
}

// ListInvitations returns the open invitations, sorted by name. Allowed for admins.
func (c *Client) ListInvitations(ctx context.Context) ([]Invitation, error) {
	return fetch[[]Invitation](ctx, c, get("/invitations"))
}

// RevokeInvitation revokes the open invitation for a name. It returns ErrNotFound (invitation_not_found) if there is
// none. It is not retried after a lost response, because there may be a new invitation for the name by then. Allowed
// for admins.
func (c *Client) RevokeInvitation(ctx context.Context, username string) error {
	k := remove("/invitations/{username}", "invitation_not_found", username)
	k.idempotent = false
	return c.run(ctx, k)
}

// AcceptInvitation creates the user of an invitation with a password and returns the name of the user, who can then
// SignIn. It needs no token. The server checks the code first: ErrUnauthenticated (invitation_invalid) if the
// invitation is not open, ErrInvalid for the password (password_required, invalid_password), which leaves the
// invitation open. A call with the zero Secret as password therefore tests a code. It is not retried after a lost
// response: try SignIn.
func (c *Client) AcceptInvitation(ctx context.Context, code, password Secret) (username string, err error) {
	k := post("/invitations/accept", struct {
		Code     string `json:"code"`
		Password string `json:"password"`
	}{code.Reveal(), password.Reveal()}, http.StatusCreated)
	k.anonymous = true
	joined, err := fetch[struct {
		Username string `json:"username"`
	}](ctx, c, k)
	if err != nil {
		return "", err
	}
	if joined.Username == "" {
		return "", badResponse(k, "the response contains no username")
	}
	return joined.Username, nil
}
