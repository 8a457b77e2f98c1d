package identity

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
)

// WhoAmI returns the caller as the database has it now, or Unauthenticated.
func (s *Service) WhoAmI(ctx context.Context, by domain.Requester) (domain.Caller, error) {
	return s.authenticated(ctx, s.Store.Read(), by)
}
