package identity

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
)

// DeleteUser deletes a user, as Service.DeleteUser does, but only for the owner of the system.
func (s Accounts) DeleteUser(ctx context.Context, by domain.Requester, username string) error {
	if _, err := s.gate.InGroup(ctx, s.store.Read(), by, domain.GroupOwner); err != nil {
		return err
	}
	return s.deleteUser(ctx, by, username)
}
