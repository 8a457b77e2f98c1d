package identity

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// ListEvents returns a page of the audit log of the whole system, newest event first. Only admins may call it. It
// returns ErrBusy if too many searches run or wait; see [gate.Gate.Events].
func (s *Service) ListEvents(ctx context.Context, by domain.Requester, filter ports.EventFilter) (ports.EventPage,
	error) {
	caller, err := s.gate.Admin(ctx, s.store.Read(), by)
	if err != nil {
		return ports.EventPage{}, err
	}
	return s.gate.Events(ctx, caller.UserID, filter)
}
