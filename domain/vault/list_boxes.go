package vault

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
)

// ListBoxes returns the names of the boxes of which the caller is an active member, sorted. Admins, too, see only the
// boxes of which they are members.
func (s *Service) ListBoxes(ctx context.Context, by domain.Requester) ([]domain.BoxName, error) {
	access, err := s.authorize(ctx, s.config.Store.Read(), by, "", anyCaller)
	if err != nil {
		return nil, err
	}
	return s.config.Store.Read().Boxes.NamesOf(ctx, access.Caller.UserID)
}
