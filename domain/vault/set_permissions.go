package vault

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// SetPermissions asks for a user's permissions in a box to be exactly these, by their names; none takes all away.
type SetPermissions struct {
	Box      string
	Username string
	Names    []string
}

// SetPermissions replaces a user's permissions in a box. An unknown name is Invalid, and nothing changes.
func (s *Service) SetPermissions(ctx context.Context, by domain.Requester, in SetPermissions) error {
	return s.change(ctx, by, in.Box, domain.Access.Manage,
		func(ctx context.Context, repos ports.Repos, access domain.Access) error {
			permissions, err := domain.ParsePermissions(in.Names)
			if err != nil {
				return err
			}
			member, err := s.boxUser(ctx, repos, access.Box, in.Username)
			if err != nil {
				return err
			}
			member.Permissions = permissions
			if err := repos.BoxUsers.Save(ctx, member); err != nil {
				return err
			}
			return repos.Events.Append(ctx, s.event(domain.ActionSetPermissions, by, access).To(string(member.Name)))
		})
}
