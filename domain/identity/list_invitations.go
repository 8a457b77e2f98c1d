package identity

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
)

// ListInvitations returns the open invitations, sorted by name. Only admins may call it.
func (s *Service) ListInvitations(ctx context.Context, by domain.Requester) ([]domain.Invitation, error) {
	if _, err := s.gate.Admin(ctx, s.store.Read(), by); err != nil {
		return nil, err
	}
	return s.store.Read().Invitations.List(ctx, s.clock.Now())
}
