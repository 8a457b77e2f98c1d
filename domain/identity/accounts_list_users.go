package identity

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
)

// ListUsers returns all users, oldest first. Only the owner may call it. Errors: Forbidden with code group_too_low.
func (s Accounts) ListUsers(ctx context.Context, by domain.Requester) ([]domain.User, error) {
	if _, err := s.gate.InGroup(ctx, s.store.Read(), by, domain.GroupOwner); err != nil {
		return nil, err
	}
	return s.store.Read().Users.List(ctx)
}
