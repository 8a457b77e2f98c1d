package vault

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// UpdateBoxUser asks for another role or state of a user in a box; nil leaves things as they are.
type UpdateBoxUser struct {
	Box      string
	Username string
	Role     *string
	Active   *bool
}

// UpdateBoxUser changes what a user is in a box. The owner of the box stays an active boxadmin: Conflict.
func (s *Service) UpdateBoxUser(ctx context.Context, by domain.Requester, in UpdateBoxUser) error {
	return s.change(ctx, by, in.Box, domain.Access.Manage,
		func(ctx context.Context, repos ports.Repos, access domain.Access) error {
			role, err := parseOptionalBoxRole(in.Role)
			if err != nil {
				return err
			}
			member, err := s.boxUser(ctx, repos, access.Box, in.Username)
			if err != nil {
				return err
			}
			if err := member.Change(access.Box, role, in.Active); err != nil {
				return err
			}
			if err := repos.BoxUsers.Save(ctx, member); err != nil {
				return err
			}
			return repos.Events.Append(ctx, s.event(domain.ActionUpdateBoxUser, by, access).To(string(member.Name)))
		})
}

func parseOptionalBoxRole(text *string) (*domain.BoxRole, error) {
	if text == nil {
		return nil, nil
	}
	role, err := domain.ParseBoxRole(*text)
	return &role, err
}
