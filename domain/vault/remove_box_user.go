package vault

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// RemoveBoxUser removes a member from a box. Members may also remove themselves. The entries that the member wrote
// stay. If the member is a recipient of the box's keyring, the box key must be changed afterwards. WriteKeyring can
// remove the member and change the key in one transaction.
//
// It returns an error of kind Conflict if the member is the owner or the last boxadmin of the box.
func (s *Service) RemoveBoxUser(ctx context.Context, by domain.Requester, box, username string) error {
	name, _ := domain.ParseUserName(username) // an invalid name is not the caller's
	remove := func(access domain.Access) error { return access.Remove(name) }
	return s.change(ctx, by, box, remove,
		s.membership(func(ctx context.Context, repos ports.Repos, access domain.Access) error {
			return s.removeMember(ctx, repos, by, access, username)
		}))
}

// removeMember removes a member and appends the audit event. If the box is offered to the member, removeMember also
// ends the offer. The caller must hold the lock on the box.
func (s *Service) removeMember(ctx context.Context, repos ports.Repos, by domain.Requester, access domain.Access,
	username string) error {
	removed, err := member(ctx, repos, access.Box, username)
	if err != nil {
		return err
	}
	// Removable counts the boxadmins. The lock on the box prevents other changes of the members until the commit.
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
	offer, err := repos.Boxes.Offer(ctx, access.Box.ID)
	if err != nil {
		return err
	}
	if offer.To == removed.User {
		if err := s.endOffer(ctx, repos, by, access); err != nil {
			return err
		}
	}
	event := s.event(domain.ActionRemoveBoxUser, by, access).To(string(removed.Name))
	return repos.Events.Append(ctx, event.Changed(domain.BoxUser{}.ChangesFrom(removed)...))
}
