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
	// Expiry is the lifetime of the invitation, at most 30 days. It has one of the formats of APIKeyOptions.Expiry; ""
	// means 7 days.
	Expiry string
}

// InvitationCode describes a new invitation and contains its code. The server does not show the code again.
type InvitationCode struct {
	Username string `json:"username"`
	Role     string `json:"role"`
	// Code lets its holder create the user. It works once. Pass it on over a channel that only the invited person
	// reads.
	Code      Secret    `json:"code"`
	ExpiresAt time.Time `json:"expiresAt"`
}

// The states of an Invitation.
const (
	// InvitationOpen means that the invitation can be accepted.
	InvitationOpen = "open"
	// InvitationNameTaken means that a user with the invited name already exists.
	InvitationNameTaken = "name-taken"
	// InvitationInviterNotAdmin means that the inviter is deactivated or no longer an admin.
	InvitationInviterNotAdmin = "inviter-not-admin"
)

// Invitation describes an invitation, without its code.
type Invitation struct {
	Username string `json:"username"`
	Role     string `json:"role"`
	// State is InvitationOpen, or the reason why the invitation cannot be accepted at present. State is empty if the
	// server is too old to report it.
	State     string    `json:"state"`
	InvitedBy string    `json:"invitedBy"`
	CreatedAt time.Time `json:"createdAt"`
	ExpiresAt time.Time `json:"expiresAt"`
}

// InviteUser creates an invitation for a name and replaces an earlier invitation for that name. It creates no user. It
// returns ErrConflict if the name is taken (user_exists). The client does not retry InviteUser after a lost response.
// The lost response contained the only copy of the code, so call InviteUser again. Only admins may call InviteUser.
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

// ListInvitations returns the pending invitations, sorted by name. It omits accepted, revoked and expired invitations.
// Some pending invitations cannot be accepted at present: see Invitation.State. Only admins may call ListInvitations.
func (c *Client) ListInvitations(ctx context.Context) ([]Invitation, error) {
	return fetch[[]Invitation](ctx, c, get("/invitations"))
}

// RevokeInvitation revokes the open invitation for a name. It returns ErrNotFound (invitation_not_found) if there is no
// such invitation. RevokeInvitation is not retried after a lost response, because a retry could revoke a newer
// invitation for the name. Only admins may call RevokeInvitation.
func (c *Client) RevokeInvitation(ctx context.Context, username string) error {
	k := remove("/invitations/{username}", "invitation_not_found", username)
	k.idempotent = false
	return c.run(ctx, k)
}

// AcceptInvitation creates the invited user with the given password, and returns the name of the user. The user can
// then sign in with SignIn. AcceptInvitation needs no token. The server checks the code first. AcceptInvitation returns
// ErrUnauthenticated (invitation_invalid) if the invitation is not open. It returns ErrInvalid (password_required,
// invalid_password) for a missing or invalid password; the invitation then stays open. To test a code without creating
// the user, call AcceptInvitation with the zero Secret as the password. AcceptInvitation is not retried after a lost
// response: call SignIn to find out whether the user was created.
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
