package vault

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// ListBoxEvents returns a page of the audit log of one box, newest first. Boxadmins of the box and admins may call it.
// It sets filter.Box to this box. All other fields of filter apply. It returns ErrBusy if too many searches run; see
// [gate.Gate.Events].
func (s *Service) ListBoxEvents(ctx context.Context, by domain.Requester, box string,
	filter ports.EventFilter) (ports.EventPage, error) {
	access, err := s.authorize(ctx, s.config.Store.Read(), by, box, domain.Access.Manage)
	if err != nil {
		return ports.EventPage{}, err
	}
	// Select the events by the identifier of the box, because an earlier box may have had the same name.
	filter.Box = access.Box.ID
	return s.config.Gate.Events(ctx, access.Caller.UserID, filter)
}
