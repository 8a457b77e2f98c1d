package identity

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// DeleteUser deletes a user with its credentials and memberships. Only admins may call it. Errors: Conflict for the
// owner and for a user who owns boxes.
func (s *Service) DeleteUser(ctx context.Context, by domain.Requester, username string) error {
	return s.deleteUser(ctx, by, username)
}

// deleteUser is the part of DeleteUser that both APIs share.
func (s *core) deleteUser(ctx context.Context, by domain.Requester, username string) error {
	if _, err := s.gate.Admin(ctx, s.store.Read(), by); err != nil {
		return err
	}
	name, err := domain.ParseUserName(username)
	if err != nil {
		return domain.ErrUserNotFound
	}
	return s.store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		// The lock serialises this transaction with a handover and with a demotion of the caller.
		if _, err := repos.System.Lock(ctx); err != nil {
			return err
		}
		caller, err := s.gate.Admin(ctx, repos, by)
		if err != nil {
			return err
		}
		// The strong lock keeps other transactions from giving the user a box or a membership before the deletion.
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
		// The deletion removes the user from all boxes. A change of a box's members sets the box's time of update.
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
