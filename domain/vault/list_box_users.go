package vault

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
)

// ListBoxUsers returns the members of a box, active and inactive, sorted by name. Boxadmins and admins may call it.
func (s *Service) ListBoxUsers(ctx context.Context, by domain.Requester, box string) ([]domain.BoxUser, error) {
	access, err := s.authorize(ctx, s.config.Store.Read(), by, box, domain.Access.Manage)
	if err != nil {
		return nil, err
	}
	return s.config.Store.Read().BoxUsers.List(ctx, access.Box.ID)
}
