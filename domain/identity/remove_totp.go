package identity

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// RemoveTOTP takes a user's one-time codes away, the recovery codes with them. The user itself gives a code; an admin
// needs none, for the day a phone is lost, but does not touch the owner's.
func (s *Service) RemoveTOTP(ctx context.Context, by domain.Requester, username, code string) error {
	caller, err := s.authenticated(ctx, s.Store.Read(), by)
	if err != nil {
		return err
	}
	target, err := s.account(ctx, s.Store.Read(), caller, username)
	if err != nil {
		return err
	}
	if caller.Is(target.ID) {
		return s.withCode(ctx, by, caller, domain.ActionRemoveTOTP, code,
			func(ctx context.Context, repos ports.Repos, user domain.User) error {
				return removeCodes(ctx, repos, user)
			})
	}
	return s.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		// The owner is a fact of the system's row: without its lock, a hand-over at this moment would show the old one.
		if _, err := repos.System.Lock(ctx); err != nil {
			return err
		}
		user, err := repos.Users.Lock(ctx, target.Name)
		if err != nil {
			return err
		}
		caller, err := s.admin(ctx, repos, by)
		if err != nil {
			return err
		}
		if user.Owner {
			return domain.ErrOwnerProtected
		}
		if err := removeCodes(ctx, repos, user); err != nil {
			return err
		}
		return repos.Events.Append(ctx, s.event(domain.ActionRemoveTOTP, by, caller).To(string(user.Name)))
	})
}

func removeCodes(ctx context.Context, repos ports.Repos, user domain.User) error {
	had, err := repos.TOTPSecrets.Delete(ctx, user.ID)
	if err == nil && !had {
		return domain.ErrNoCode
	}
	return err
}
