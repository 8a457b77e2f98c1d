package identity

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
)

// DeleteAccount is DeleteUser for the owner of the system, who alone deletes users by that way.
func (s *Service) DeleteAccount(ctx context.Context, by domain.Requester, username string) error {
	if _, err := s.inGroup(ctx, s.Store.Read(), by, domain.GroupOwner); err != nil {
		return err
	}
	return s.DeleteUser(ctx, by, username)
}
