package identity

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// The use cases whose names end in AtTerminal have no requester: whoever can read the database and its secret needs
// nobody's leave. They are on record as done from there.

func (s *Service) terminalEvent(action domain.Action, user domain.UserName) domain.Event {
	return s.event(action, domain.Requester{}, domain.AtTerminal()).To(string(user))
}

// changeAtTerminal runs fn in a transaction that holds the system and a user, and puts the action on record.
func (s *Service) changeAtTerminal(ctx context.Context, username string, action domain.Action,
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
		return repos.Events.Append(ctx, s.terminalEvent(action, name))
	})
}

// ListAtTerminal returns all users, oldest first.
func (s *Service) ListAtTerminal(ctx context.Context) ([]domain.User, error) {
	return s.Store.Read().Users.List(ctx)
}

// SetActiveAtTerminal activates or deactivates a user, which ends all its sessions and API keys. The owner stays active.
func (s *Service) SetActiveAtTerminal(ctx context.Context, username string, active bool) error {
	return s.changeAtTerminal(ctx, username, domain.ActionUpdateUser, func(ctx context.Context, repos ports.Repos, user domain.User) error {
		keysEnd, err := user.Change(domain.AtTerminal(), domain.UserChange{Active: &active}, s.Clock.Now())
		if err != nil {
			return err
		}
		return s.saveChange(ctx, repos, user, keysEnd)
	})
}

// SetPasswordAtTerminal sets a user's password, which ends all its sessions.
func (s *Service) SetPasswordAtTerminal(ctx context.Context, username, password string) error {
	secret, err := domain.ParseNewPassword(password, s.MinPasswordLength)
	if err != nil {
		return err
	}
	defer secret.Clear()
	phc, err := s.Passwords.Hash(ctx, secret)
	if err != nil {
		return err
	}
	return s.changeAtTerminal(ctx, username, domain.ActionSetPassword, func(ctx context.Context, repos ports.Repos, user domain.User) error {
		if _, err := user.Change(domain.AtTerminal(), domain.UserChange{Password: true}, s.Clock.Now()); err != nil {
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

// UnlockAtTerminal lets a user sign in at once who would have to wait after wrong credentials.
func (s *Service) UnlockAtTerminal(ctx context.Context, username string) error {
	return s.changeAtTerminal(ctx, username, domain.ActionUnlock, func(ctx context.Context, repos ports.Repos, user domain.User) error {
		return repos.Throttle.Forget(ctx, s.Digests.Digest("account", string(user.Name)))
	})
}
