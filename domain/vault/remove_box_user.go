package vault

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// RemoveBoxUser removes a member from a box. The entries that the member wrote stay. In a box with a keyring, a change
// of the key is due afterwards, if the member is a recipient; WriteKeyring removes a member and changes the key
// together. Errors: Conflict for the owner of the box and for its last boxadmin.
func (s *Service) RemoveBoxUser(ctx context.Context, by domain.Requester, box, username string) error {
	return s.change(ctx, by, box, domain.Access.Manage,
		s.membership(func(ctx context.Context, repos ports.Repos, access domain.Access) error {
			return s.removeMember(ctx, repos, by, access, username)
		}))
}

// removeMember removes a member, with its audit event. The caller holds the lock on the box.
func (s *Service) removeMember(ctx context.Context, repos ports.Repos, by domain.Requester, access domain.Access,
	username string) error {
	removed, err := member(ctx, repos, access.Box, username)
	if err != nil {
		return err
	}
	// Removable counts the boxadmins. The lock on the box keeps the count valid until the commit.
	users, err := repos.BoxUsers.List(ctx, access.Box.ID)
	if err != nil {
		return err
	}
	if err := removed.Removable(access.Box, users); err != nil {
		return err
	}
	if err := repos.BoxUsers.Remove(ctx, access.Box.ID, removed.User); err != nil {
		return err
	}
	return repos.Events.Append(ctx, s.event(domain.ActionRemoveBoxUser, by, access).To(string(removed.Name)))
}
