package identity

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// DeleteUser removes a user with its keys, sessions and parts in boxes; for admins. The owner of the system and a user
// who owns boxes stay: Conflict.
func (s *Service) DeleteUser(ctx context.Context, by domain.Requester, username string) error {
	if _, err := s.admin(ctx, s.Store.Read(), by); err != nil {
		return err
	}
	name, err := domain.ParseUserName(username)
	if err != nil {
		return domain.ErrUserNotFound
	}
	return s.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		if _, err := repos.System.Lock(ctx); err != nil {
			return err
		}
		caller, err := s.admin(ctx, repos, by)
		if err != nil {
			return err
		}
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
		if err := repos.Users.Delete(ctx, user.ID); err != nil {
			return err
		}
		return repos.Events.Append(ctx, s.event(domain.ActionDeleteUser, by, caller).To(string(user.Name)))
	})
}
