package vault

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// UpdateBoxUser is the request to change the role or the state of a member. If Role is nil, the role is not changed. If
// Active is nil, the state is not changed. An inactive member keeps its role and permissions, but has no access until
// it is active again.
type UpdateBoxUser struct {
	Box      string
	Username string
	Role     *string
	Active   *bool
}

// UpdateBoxUser changes the role or the state of a member. It returns an error of kind Conflict if the change would
// demote or deactivate the owner of the box.
func (s *Service) UpdateBoxUser(ctx context.Context, by domain.Requester, in UpdateBoxUser) error {
	return s.change(ctx, by, in.Box, domain.Access.Manage,
		s.membership(func(ctx context.Context, repos ports.Repos, access domain.Access) error {
			role, err := parseOptionalBoxRole(in.Role)
			if err != nil {
				return err
			}
			changed, err := member(ctx, repos, access.Box, in.Username)
			if err != nil {
				return err
			}
			before := changed
			if err := changed.Change(access.Box, role, in.Active); err != nil {
				return err
			}
			if err := repos.BoxUsers.Save(ctx, changed); err != nil {
				return err
			}
			event := s.event(domain.ActionUpdateBoxUser, by, access).To(string(changed.Name))
			return repos.Events.Append(ctx, event.Changed(changed.ChangesFrom(before)...))
		}))
}

// parseOptionalBoxRole parses a role. If text is nil, it returns nil.
func parseOptionalBoxRole(text *string) (*domain.BoxRole, error) {
	if text == nil {
		return nil, nil
	}
	role, err := domain.ParseBoxRole(*text)
	return &role, err
}
