package identity

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
)

// Installation returns the id of the database that this service uses. Clients store this id together with the address
// of the server.
func (s *Service) Installation() domain.InstallationID { return s.config.Installation }

// WhoAmI returns the caller, with the state of the user and of the credential that is now stored in the database.
// Errors: Unauthenticated.
func (s *Service) WhoAmI(ctx context.Context, by domain.Requester) (domain.Caller, error) {
	return s.gate.Caller(ctx, s.store.Read(), by)
}
