package identity

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// UnlockUser ends the lockout that wrong credentials have caused for an account. It does not end the lockout of an
// address. Errors: NotFound.
func (s Operator) UnlockUser(ctx context.Context, username string) error {
	return s.operate(ctx, username, domain.ActionUnlock,
		func(ctx context.Context, repos ports.Repos, user domain.User) ([]domain.Change, error) {
			return nil, s.gate.Unlock(ctx, repos, user.Name)
		})
}
