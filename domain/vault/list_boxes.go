package vault

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
)

// ListBoxes returns the sorted names of all boxes that have the caller as an active member. This is also true for
// admins, although they may see other boxes.
func (s *Service) ListBoxes(ctx context.Context, by domain.Requester) ([]domain.BoxName, error) {
	access, err := s.authorize(ctx, s.config.Store.Read(), by, "", anyCaller)
	if err != nil {
		return nil, err
	}
	return s.config.Store.Read().Boxes.NamesOf(ctx, access.Caller.UserID)
}
