package identity

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
)

// ListedInvitation is an invitation and its state.
type ListedInvitation struct {
	domain.Invitation
	State domain.InvitationState
}

// ListInvitations returns the stored invitations that have not expired, sorted by name. An invitation is deleted when
// it is accepted or revoked. The list includes invitations that cannot be accepted now, for example because another
// user has the name. These invitations count towards the quota too. Only admins may call it.
func (s *Service) ListInvitations(ctx context.Context, by domain.Requester) ([]ListedInvitation, error) {
	if _, err := s.gate.Admin(ctx, s.store.Read(), by); err != nil {
		return nil, err
	}
	now := s.clock.Now()
	invitations, err := s.store.Read().Invitations.List(ctx, now)
	if err != nil || len(invitations) == 0 {
		return nil, err
	}
	users, err := s.store.Read().Users.List(ctx)
	if err != nil {
		return nil, err
	}
	byID, taken := make(map[domain.UserID]domain.User, len(users)), make(map[domain.UserName]bool, len(users))
	for _, user := range users {
		byID[user.ID], taken[user.Name] = user, true
	}
	listed := make([]ListedInvitation, len(invitations))
	for i, invitation := range invitations {
		state := invitation.State(byID[invitation.Inviter], taken[invitation.Name], now)
		listed[i] = ListedInvitation{Invitation: invitation, State: state}
	}
	return listed, nil
}
