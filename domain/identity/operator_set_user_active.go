package identity

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// SetUserActive activates or deactivates a user. A deactivation revokes all sessions and API keys. Errors: NotFound if
// the user does not exist; Conflict with code owner_stays if the user is the owner.
func (s Operator) SetUserActive(ctx context.Context, username string, active bool) error {
	return s.operate(ctx, username, domain.ActionUpdateUser,
		func(ctx context.Context, repos ports.Repos, user domain.User) ([]domain.Change, error) {
			before := user
			revokeKeys, err := user.Change(domain.Operator(), domain.UserChange{Active: &active}, s.clock.Now())
			if err != nil {
				return nil, err
			}
			return saveChange(ctx, repos, before, user, revokeKeys)
		})
}
