package identity

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
)

// ListUsers returns the names of all users, sorted. Only admins may call it.
func (s *Service) ListUsers(ctx context.Context, by domain.Requester) ([]domain.UserName, error) {
	if _, err := s.gate.Admin(ctx, s.store.Read(), by); err != nil {
		return nil, err
	}
	return s.store.Read().Users.Names(ctx)
}
