package identity

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// The use cases whose names end in AtTerminal have no requester: whoever can read the database and its secret needs
// nobody's leave. They are on record as done from there.

func (s *core) operatorEvent(action domain.Action, user domain.UserName) domain.Event {
	return s.event(action, domain.Requester{}, domain.Operator()).To(string(user))
}

// changeUser runs fn in a transaction that holds the system and a user, and puts the action on record.
func (s *core) changeUser(ctx context.Context, username string, action domain.Action,
	fn func(ctx context.Context, repos ports.Repos, user domain.User) error) error {
	name, err := domain.ParseUserName(username)
	if err != nil {
		return err
	}
	return s.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		if _, err := repos.System.Lock(ctx); err != nil {
			return err
		}
		user, err := repos.Users.Lock(ctx, name)
		if err != nil {
			return err
		}
		if err := fn(ctx, repos, user); err != nil {
			return err
		}
		return repos.Events.Append(ctx, s.operatorEvent(action, name))
	})
}

// ListUsers returns all users, oldest first.
func (s Operator) ListUsers(ctx context.Context) ([]domain.User, error) {
	return s.Store.Read().Users.List(ctx)
}

// SetUserActive activates or deactivates a user, which ends all its sessions and API keys. The owner stays active.
func (s Operator) SetUserActive(ctx context.Context, username string, active bool) error {
	return s.changeUser(ctx, username, domain.ActionUpdateUser,
		func(ctx context.Context, repos ports.Repos, user domain.User) error {
			keysEnd, err := user.Change(domain.Operator(), domain.UserChange{Active: &active}, s.Clock.Now())
			if err != nil {
				return err
			}
			return s.saveChange(ctx, repos, user, keysEnd)
		})
}

// SetPassword sets a user's password, which ends all its sessions.
func (s Operator) SetPassword(ctx context.Context, username, password string) error {
	secret, err := domain.ParseNewPassword(password, s.MinPasswordLength)
	if err != nil {
		return err
	}
	defer secret.Clear()
	phc, err := s.Passwords.Hash(ctx, secret)
	if err != nil {
		return err
	}
	return s.changeUser(ctx, username, domain.ActionSetPassword,
		func(ctx context.Context, repos ports.Repos, user domain.User) error {
			if _, err := user.Change(domain.Operator(), domain.UserChange{Password: true}, s.Clock.Now()); err != nil {
				return err
			}
			found, err := repos.Users.ForSignIn(ctx, user.Name)
			if err != nil {
				return err
			}
			if err := s.saveChange(ctx, repos, user, false); err != nil {
				return err
			}
			return s.savePassword(ctx, repos, found.Password, phc)
		})
}

// UnlockUser lets a user sign in at once who would have to wait after wrong credentials.
func (s Operator) UnlockUser(ctx context.Context, username string) error {
	return s.changeUser(ctx, username, domain.ActionUnlock,
		func(ctx context.Context, repos ports.Repos, user domain.User) error {
			return repos.Attempts.Forget(ctx, s.Digests.Digest("account", string(user.Name)))
		})
}
