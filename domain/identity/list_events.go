package identity

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// ListEvents returns a page of the audit log of the whole system, newest event first. Only admins may call it. Errors:
// Forbidden for other callers, and ErrBusy when too many searches run or wait.
func (s *Service) ListEvents(ctx context.Context, by domain.Requester, filter ports.EventFilter) (ports.EventPage,
	error) {
	caller, err := s.gate.Admin(ctx, s.store.Read(), by)
	if err != nil {
		return ports.EventPage{}, err
	}
	return s.gate.Events(ctx, caller.UserID, filter)
}
