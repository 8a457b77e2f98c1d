package vault

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
)

// ListBoxUsers returns the users of a box, sorted by name, inactive ones included.
func (s *Service) ListBoxUsers(ctx context.Context, by domain.Requester, box string) ([]domain.BoxUser, error) {
	access, err := s.access(ctx, s.Store.Read(), by, box, domain.Access.Manage)
	if err != nil {
		return nil, err
	}
	return s.Store.Read().BoxUsers.List(ctx, access.Box.ID)
}
