package identity

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
)

// DeleteUser does the same as [Service.DeleteUser], but only the owner of the system may call it.
func (s Accounts) DeleteUser(ctx context.Context, by domain.Requester, username string) error {
	if _, err := s.gate.InGroup(ctx, s.store.Read(), by, domain.GroupOwner); err != nil {
		return err
	}
	return s.deleteUser(ctx, by, username)
}
