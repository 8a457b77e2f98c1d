package identity

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// SetPassword sets a user's password and revokes all sessions of the user. The error has the kind NotFound if the user
// does not exist, and Invalid if the new password breaks the rules for passwords.
func (s Operator) SetPassword(ctx context.Context, username, password string) error {
	secret, err := domain.ParseNewPassword(password, s.config.MinPasswordLength)
	if err != nil {
		return err
	}
	defer secret.Clear()
	phc, err := s.config.Passwords.Hash(ctx, secret)
	if err != nil {
		return err
	}
	return s.operate(ctx, username, domain.ActionSetPassword,
		func(ctx context.Context, repos ports.Repos, user domain.User) ([]domain.Change, error) {
			before := user
			// Change revokes the sessions. Its first result, which reports whether the API keys must be revoked, is
			// false here, because this change contains only a new password.
			if _, err := user.Change(domain.Operator(), domain.UserChange{Password: true}, s.clock.Now()); err != nil {
				return nil, err
			}
			// Read the stored password under the lock, so that no concurrent change can make savePassword fail.
			found, err := repos.Users.ForSignIn(ctx, user.Name)
			if err != nil {
				return nil, err
			}
			changes, err := saveChange(ctx, repos, before, user, false)
			if err != nil {
				return nil, err
			}
			if err := s.savePassword(ctx, repos, found.Password, phc); err != nil {
				return nil, err
			}
			changes = append(changes, domain.PasswordChange(len(found.Password.Sealed) > 0))
			return changes, dropLocked(ctx, repos, user.ID, s.operatorEvent(domain.ActionDeleteLocked, user.Name))
		})
}
