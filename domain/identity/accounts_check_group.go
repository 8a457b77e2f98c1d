package identity

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
)

// CheckGroup returns nil when the requester is in a group, or in one that includes it. Forbidden with code
// group_too_low otherwise.
func (s Accounts) CheckGroup(ctx context.Context, by domain.Requester, least domain.Group) error {
	_, err := s.gate.InGroup(ctx, s.store.Read(), by, least)
	return err
}
