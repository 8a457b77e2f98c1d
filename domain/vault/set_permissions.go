package vault

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// SetPermissions is the request to replace a member's permissions. An empty list of names removes all permissions.
type SetPermissions struct {
	Box      string
	Username string
	Names    []string
}

// SetPermissions replaces a member's permissions. The change applies to all later requests of the member, with any
// credential. Errors: Invalid if Names contains an unknown permission; ErrBoxUserNotFound if the user is not a member.
func (s *Service) SetPermissions(ctx context.Context, by domain.Requester, in SetPermissions) error {
	return s.change(ctx, by, in.Box, domain.Access.Manage,
		s.membership(func(ctx context.Context, repos ports.Repos, access domain.Access) error {
			// Parse all names first, so that an unknown name changes nothing.
			permissions, err := domain.ParsePermissions(in.Names)
			if err != nil {
				return err
			}
			changed, err := member(ctx, repos, access.Box, in.Username)
			if err != nil {
				return err
			}
			before := changed
			changed.Permissions = permissions
			if err := repos.BoxUsers.Save(ctx, changed); err != nil {
				return err
			}
			event := s.event(domain.ActionSetPermissions, by, access).To(string(changed.Name))
			return repos.Events.Append(ctx, event.Changed(changed.ChangesFrom(before)...))
		}))
}
