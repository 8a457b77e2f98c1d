package identity

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
)

// ListUsers returns all users, oldest first.
func (s Operator) ListUsers(ctx context.Context) ([]domain.User, error) {
	return s.store.Read().Users.List(ctx)
}
