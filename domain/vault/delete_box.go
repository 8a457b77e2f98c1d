package vault

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// DeleteBox deletes a box with its members, entries and versions. The audit events of the box are kept and still
// contain its name. A box that is created later with the same name has a different identifier and a different salt.
func (s *Service) DeleteBox(ctx context.Context, by domain.Requester, box string) error {
	return s.change(ctx, by, box, domain.Access.Manage,
		func(ctx context.Context, repos ports.Repos, access domain.Access) error {
			owner, err := repos.Users.ByID(ctx, access.Box.Owner)
			if err != nil {
				return err
			}
			if err := repos.Boxes.Delete(ctx, access.Box.ID); err != nil {
				return err
			}
			return repos.Events.Append(ctx, s.event(domain.ActionDeleteBox, by, access).
				Changed(domain.Change{Property: domain.PropertyOwner, From: string(owner.Name)}))
		})
}
