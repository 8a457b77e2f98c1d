package identity

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
)

// WhoAmI returns the caller's user and credential as the database has them now, or Unauthenticated.
func (s *Service) WhoAmI(ctx context.Context, by domain.Requester) (domain.Caller, error) {
	return s.gate.Caller(ctx, s.store.Read(), by)
}
