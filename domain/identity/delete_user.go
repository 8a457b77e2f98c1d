package identity

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// DeleteUser deletes a user with its credentials and memberships. Only admins may call it. It returns an error of kind
// Conflict if the user is the owner or owns boxes.
func (s *Service) DeleteUser(ctx context.Context, by domain.Requester, username string) error {
	return s.deleteUser(ctx, by, username)
}

// deleteUser deletes a user for both APIs.
func (s *core) deleteUser(ctx context.Context, by domain.Requester, username string) error {
	if _, err := s.gate.Admin(ctx, s.store.Read(), by); err != nil {
		return err
	}
	name, err := domain.ParseUserName(username)
	if err != nil {
		return domain.ErrUserNotFound
	}
	return s.store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		// This lock serialises the transaction with a handover and with a demotion of the caller.
		if _, err := repos.System.Lock(ctx); err != nil {
			return err
		}
		caller, err := s.gate.Admin(ctx, repos, by)
		if err != nil {
			return err
		}
		// LockToDelete takes a stronger lock than Lock: until the transaction ends, no other transaction can give the
		// user a box or a membership.
		user, err := repos.Users.LockToDelete(ctx, name)
		if err != nil {
			return err
		}
		owned, err := repos.Boxes.OwnedBy(ctx, user.ID)
		if err != nil {
			return err
		}
		if err := user.Deletable(caller, owned); err != nil {
			return err
		}
		// The deletion removes the user from all boxes. Every change of a box's members must update the time of the
		// box's last change.
		if err := repos.Boxes.TouchOf(ctx, user.ID, s.clock.Now()); err != nil {
			return err
		}
		if err := repos.Users.Delete(ctx, user.ID); err != nil {
			return err
		}
		event := s.gate.Event(domain.ActionDeleteUser, by, caller).To(string(user.Name))
		return repos.Events.Append(ctx, event.Changed(domain.User{}.ChangesFrom(user)...))
	})
}
