package vault

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
)

// ListBoxes returns the sorted names of the boxes of which the caller is an active member. For admins, too, the list
// contains only these boxes, although admins may see all boxes.
func (s *Service) ListBoxes(ctx context.Context, by domain.Requester) ([]domain.BoxName, error) {
	access, err := s.authorize(ctx, s.config.Store.Read(), by, "", anyCaller)
	if err != nil {
		return nil, err
	}
	return s.config.Store.Read().Boxes.NamesOf(ctx, access.Caller.UserID)
}
