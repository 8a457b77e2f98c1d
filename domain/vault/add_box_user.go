package vault

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// AddBoxUser is the request to add a member to a box. Role is "boxuser" or "boxadmin". An empty Role means "boxuser".
type AddBoxUser struct {
	Box      string
	Username string
	Role     string
}

// AddBoxUser adds a member with the default permissions: readEntryKeys and readEntry. It returns the names of the box
// and the user. Errors: NotFound if the user does not exist; Conflict with code box_user_exists or limit_reached.
func (s *Service) AddBoxUser(ctx context.Context, by domain.Requester, in AddBoxUser) (domain.BoxName, domain.UserName,
	error) {
	// Authorise the caller before checking the input, so that a caller who cannot manage the box learns nothing about
	// the box.
	access, err := s.authorize(ctx, s.config.Store.Read(), by, in.Box, domain.Access.Manage)
	if err != nil {
		return "", "", err
	}
	name, err := domain.ParseUserName(in.Username)
	if err != nil {
		return "", "", err
	}
	var role domain.BoxRole
	if in.Role != "" {
		if role, err = domain.ParseBoxRole(in.Role); err != nil {
			return "", "", err
		}
	}
	return access.Box.Name, name, s.change(ctx, by, in.Box, domain.Access.Manage,
		s.membership(func(ctx context.Context, repos ports.Repos, access domain.Access) error {
			user, err := repos.Users.Get(ctx, name)
			if err != nil {
				return err
			}
			added := domain.NewBoxUser(access.Box.ID, user.ID, user.Name, role)
			if err := repos.BoxUsers.Add(ctx, added); err != nil {
				return err
			}
			if err := s.checkUserLimit(ctx, repos, access.Box.ID); err != nil {
				return err
			}
			event := s.event(domain.ActionAddBoxUser, by, access).To(string(name))
			return repos.Events.Append(ctx, event.Changed(added.ChangesFrom(domain.BoxUser{})...))
		}))
}

// checkUserLimit returns an error if the box has too many members. Call it after the insert, under the lock on the box.
// Otherwise, concurrent requests could together exceed the limit. The error rolls the insert back.
func (s *Service) checkUserLimit(ctx context.Context, repos ports.Repos, box domain.BoxID) error {
	if s.config.MaxUsersPerBox == 0 {
		return nil
	}
	count, err := repos.BoxUsers.Count(ctx, box)
	if err != nil {
		return err
	}
	if count > s.config.MaxUsersPerBox {
		return domain.LimitReached("this box cannot have more users")
	}
	return nil
}
