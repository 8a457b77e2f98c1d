package identity

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
)

// Installation identifies the database that this service uses. Clients remember it with the address of the server.
func (s *Service) Installation() domain.InstallationID { return s.config.Installation }

// WhoAmI returns the caller's user and credential in their current state in the database. Errors: Unauthenticated.
func (s *Service) WhoAmI(ctx context.Context, by domain.Requester) (domain.Caller, error) {
	return s.gate.Caller(ctx, s.store.Read(), by)
}
