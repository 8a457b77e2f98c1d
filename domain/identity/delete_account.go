package identity

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
)

// DeleteUser is DeleteUser for the owner of the system, who alone deletes users by that way.
func (s Accounts) DeleteUser(ctx context.Context, by domain.Requester, username string) error {
	if _, err := s.inGroup(ctx, s.Store.Read(), by, domain.GroupOwner); err != nil {
		return err
	}
	return (&Service{s.core}).DeleteUser(ctx, by, username)
}
