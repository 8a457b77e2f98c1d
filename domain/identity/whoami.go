package identity

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
)

// WhoAmI returns the caller's user and credential in their current state in the database. Errors: Unauthenticated.
func (s *Service) WhoAmI(ctx context.Context, by domain.Requester) (domain.Caller, error) {
	return s.gate.Caller(ctx, s.store.Read(), by)
}
