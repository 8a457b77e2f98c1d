package identity

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
)

// Installation returns the id that identifies the server's database. Clients store the id together with the address of
// the server.
func (s *Service) Installation() domain.InstallationID { return s.config.Installation }

// WhoAmI returns the caller. It reads the user and the credential from the database, so the result is current. Errors:
// Unauthenticated.
func (s *Service) WhoAmI(ctx context.Context, by domain.Requester) (domain.Caller, error) {
	return s.gate.Caller(ctx, s.store.Read(), by)
}
