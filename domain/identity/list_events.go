package identity

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// ListEvents returns the record of the whole system, newest first; for admins.
func (s *Service) ListEvents(ctx context.Context, by domain.Requester, filter ports.EventFilter) ([]domain.Event,
	error) {
	if _, err := s.admin(ctx, s.Store.Read(), by); err != nil {
		return nil, err
	}
	return s.Store.Read().Events.List(ctx, filter)
}
