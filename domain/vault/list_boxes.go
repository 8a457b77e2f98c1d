package vault

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
)

// ListBoxes returns the names of the boxes that the caller is an active user of, sorted.
func (s *Service) ListBoxes(ctx context.Context, by domain.Requester) ([]domain.BoxName, error) {
	access, err := s.access(ctx, s.Store.Read(), by, "", anybody)
	if err != nil {
		return nil, err
	}
	return s.Store.Read().Boxes.NamesOf(ctx, access.Caller.UserID)
}
