package vault

import (
	"context"
	"errors"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// TransferBox asks for another owner of a box.
type TransferBox struct {
	Box      string
	NewOwner string
}

// TransferBox gives a box to an active user of it, who becomes boxadmin; the former owner stays in it as what it was.
// Conflict when the new owner is not an active user of the box or owns too many.
func (s *Service) TransferBox(ctx context.Context, by domain.Requester, in TransferBox) error {
	if _, err := s.access(ctx, s.Store.Read(), by, in.Box, domain.Access.Transfer); err != nil {
		return err
	}
	name, err := domain.ParseUserName(in.NewOwner)
	if err != nil {
		return domain.InvalidField("owner", "invalid_owner", "owner must be the name of a user of the box")
	}
	return s.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		access, err := s.access(ctx, repos, by, in.Box, domain.Access.Transfer)
		if err != nil {
			return err
		}
		// The new owner's row orders this against other boxes of that user, whose number is limited.
		heir, err := repos.Users.Lock(ctx, name)
		if err != nil {
			return err
		}
		if err := repos.Boxes.Lock(ctx, access.Box.ID); err != nil {
			return err
		}
		if access, err = s.access(ctx, repos, by, in.Box, domain.Access.Transfer); err != nil {
			return err
		}
		if heir.ID == access.Box.Owner {
			return nil
		}
		return s.handOver(ctx, repos, by, access, heir)
	})
}

func (s *Service) handOver(ctx context.Context, repos ports.Repos, by domain.Requester, access domain.Access,
	heir domain.User) error {
	if !heir.Active {
		return domain.ErrNewOwnerNotInBox
	}
	if err := s.checkQuota(ctx, repos, heir.ID, heir.Role); err != nil {
		return err
	}
	member, err := repos.BoxUsers.Get(ctx, access.Box.ID, heir.Name)
	if errors.Is(err, domain.NotFound) {
		return domain.ErrNewOwnerNotInBox
	}
	if err != nil {
		return err
	}
	if err := member.TakeOver(&access.Box); err != nil {
		return err
	}
	access.Box.UpdatedAt = s.Clock.Now()
	if err := repos.BoxUsers.Save(ctx, member); err != nil {
		return err
	}
	if err := repos.Boxes.Save(ctx, access.Box); err != nil {
		return err
	}
	return repos.Events.Append(ctx, s.event(domain.ActionTransferBox, by, access).To(string(heir.Name)))
}
