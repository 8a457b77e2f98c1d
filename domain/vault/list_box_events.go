package vault

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// ListBoxEvents returns the audit log of one box, newest first, for boxadmins and admins. It includes no events of an
// earlier box of the same name.
func (s *Service) ListBoxEvents(ctx context.Context, by domain.Requester, box string,
	filter ports.EventFilter) ([]domain.Event, error) {
	access, err := s.authorize(ctx, s.config.Store.Read(), by, box, domain.Access.Manage)
	if err != nil {
		return nil, err
	}
	filter.Box = access.Box.ID
	return s.config.Store.Read().Events.List(ctx, filter)
}
