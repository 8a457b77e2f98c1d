package identity

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
)

// CheckGroup returns nil if the caller's group is at least as high as the least argument. Errors: Forbidden with code
// group_too_low.
func (s Accounts) CheckGroup(ctx context.Context, by domain.Requester, least domain.Group) error {
	_, err := s.gate.InGroup(ctx, s.store.Read(), by, least)
	return err
}
