package identity

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
)

// CheckGroup returns nil if the caller is in the given group or a higher one. Errors: Forbidden with code
// group_too_low.
func (s Accounts) CheckGroup(ctx context.Context, by domain.Requester, least domain.Group) error {
	_, err := s.gate.InGroup(ctx, s.store.Read(), by, least)
	return err
}
