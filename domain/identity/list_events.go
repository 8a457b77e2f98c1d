package identity

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// ListEvents returns the audit log of the whole system, newest event first. Only admins may call it.
func (s *Service) ListEvents(ctx context.Context, by domain.Requester, filter ports.EventFilter) ([]domain.Event,
	error) {
	if _, err := s.gate.Admin(ctx, s.store.Read(), by); err != nil {
		return nil, err
	}
	return s.store.Read().Events.List(ctx, filter)
}
