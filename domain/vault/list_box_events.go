package vault

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// ListBoxEvents returns the record of one box, newest first.
func (s *Service) ListBoxEvents(ctx context.Context, by domain.Requester, box string,
	filter ports.EventFilter) ([]domain.Event, error) {
	access, err := s.access(ctx, s.Store.Read(), by, box, domain.Access.Manage)
	if err != nil {
		return nil, err
	}
	filter.Box = access.Box.ID
	return s.Store.Read().Events.List(ctx, filter)
}
