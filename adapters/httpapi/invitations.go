package httpapi

import (
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"github.com/lockbox-go/lockbox/domain/identity"
)

// invitedBody is a new invitation. No other response contains the code of an invitation.
type invitedBody struct {
	Username  string  `json:"username"`
	Role      string  `json:"role"`
	Code      string  `json:"code"`
	ExpiresAt *string `json:"expiresAt"`
}

func (a *API) inviteUser(r *request) error {
	body, err := bind[struct {
		Username string `json:"username"`
		Role     string `json:"role"`
		Expiry   string `json:"expiry"`
	}](r)
	if err != nil {
		return err
	}
	invited, err := a.identity.InviteUser(r.ctx(), r.by,
		identity.InviteUser{Username: body.Username, Role: body.Role, Expiry: body.Expiry})
	if err != nil {
		return err
	}
	return r.jsonStatus(http.StatusCreated, invitedBody{
		Username:  string(invited.Invitation.Name),
		Role:      invited.Invitation.Role.String(),
		Code:      invited.Code.String(),
		ExpiresAt: rfc3339(invited.Invitation.ExpiresAt),
	})
}

// joinedBody contains the name of the new user, because the client may know only the invitation code.
type joinedBody struct {
	Username string `json:"username"`
}

func (a *API) acceptInvitation(r *request) error {
	body, err := bind[struct {
		Code     string `json:"code"`
		Password string `json:"password"`
	}](r)
	if err != nil {
		return err
	}
	name, err := a.identity.AcceptInvitation(r.ctx(), r.by,
		identity.AcceptInvitation{Code: body.Code, Password: body.Password})
	if err != nil {
		return err
	}
	r.Response().Header().Set(echo.HeaderLocation, "/users/"+url.PathEscape(string(name)))
	return r.jsonStatus(http.StatusCreated, joinedBody{string(name)})
}

// invitationLine describes an invitation without its code.
type invitationLine struct {
	Username  string  `json:"username"`
	Role      string  `json:"role"`
	State     string  `json:"state"`
	InvitedBy string  `json:"invitedBy"`
	CreatedAt *string `json:"createdAt"`
	ExpiresAt *string `json:"expiresAt"`
}

func (a *API) listInvitations(r *request) error {
	listed, err := a.identity.ListInvitations(r.ctx(), r.by)
	lines := make([]invitationLine, len(listed))
	for i, invitation := range listed {
		lines[i] = newInvitationLine(invitation)
	}
	return r.json(lines, err)
}

func newInvitationLine(invitation identity.ListedInvitation) invitationLine {
	return invitationLine{
		Username:  string(invitation.Name),
		Role:      invitation.Role.String(),
		State:     string(invitation.State),
		InvitedBy: string(invitation.InviterName),
		CreatedAt: rfc3339(invitation.CreatedAt),
		ExpiresAt: rfc3339(invitation.ExpiresAt),
	}
}

func (a *API) revokeInvitation(r *request) error {
	return r.noContent(a.identity.RevokeInvitation(r.ctx(), r.by, r.param("username")))
}
