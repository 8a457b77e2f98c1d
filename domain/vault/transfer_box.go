package vault

import (
	"context"
	"errors"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// TransferBox is the request to transfer a box to another owner.
type TransferBox struct {
	Box string
	// NewOwner is the name of an active member.
	NewOwner string
}

// TransferBox offers a box to an active member, who becomes the owner after calling AcceptBox. If an admin calls
// TransferBox, the member becomes the owner and a boxadmin immediately. The former owner stays a member with the same
// role and permissions. If NewOwner already owns the box, TransferBox only withdraws the open offer, if there is one.
//
// It returns an error of kind Conflict if NewOwner is not an active member. A transfer by an admin also fails with an
// error of kind Conflict if NewOwner owns too many boxes.
func (s *Service) TransferBox(ctx context.Context, by domain.Requester, in TransferBox) error {
	if _, err := s.authorize(ctx, s.config.Store.Read(), by, in.Box, domain.Access.Transfer); err != nil {
		return err
	}
	name, err := domain.ParseUserName(in.NewOwner)
	if err != nil {
		return domain.InvalidField("owner", "invalid_owner", "owner must be the name of a member of the box")
	}
	return s.config.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		// Authorise the caller before taking the lock. Otherwise any caller could take the lock on another user and
		// delay that user's requests.
		access, err := s.authorize(ctx, repos, by, in.Box, domain.Access.Transfer)
		if err != nil {
			return err
		}
		// Lock the new owner, so that no other request changes the number of boxes that this user owns. The lock order
		// is user, then box.
		newOwner, err := repos.Users.Lock(ctx, name)
		if err != nil {
			return err
		}
		if err := repos.Boxes.Lock(ctx, access.Box.ID); err != nil {
			return err
		}
		if access, err = s.authorize(ctx, repos, by, in.Box, domain.Access.Transfer); err != nil {
			return err
		}
		switch {
		case newOwner.ID == access.Box.Owner:
			return s.endOffer(ctx, repos, by, access)
		case access.TransfersDirectly():
			return s.transfer(ctx, repos, by, access, newOwner)
		default:
			return s.offer(ctx, repos, by, access, newOwner)
		}
	})
}

// transfer changes the owner of a box. The caller must hold the locks on newOwner and on the box, and must have
// authorised the transfer.
func (s *Service) transfer(ctx context.Context, repos ports.Repos, by domain.Requester, access domain.Access,
	newOwner domain.User) error {
	if err := s.checkQuota(ctx, repos, newOwner.ID, newOwner.Role); err != nil {
		return err
	}
	owner, err := memberToOwn(ctx, repos, access.Box, newOwner)
	if err != nil {
		return err
	}
	event, err := s.transferEvent(ctx, repos, by, access, owner)
	if err != nil {
		return err
	}
	if err := owner.TakeOver(&access.Box); err != nil {
		return err
	}
	access.Box.UpdatedAt = s.config.Clock.Now()
	if err := repos.BoxUsers.Save(ctx, owner); err != nil {
		return err
	}
	if err := repos.Boxes.Save(ctx, access.Box); err != nil {
		return err
	}
	if err := repos.Boxes.SaveOffer(ctx, access.Box.ID, domain.BoxOffer{}); err != nil {
		return err
	}
	return repos.Events.Append(ctx, event)
}

// transferEvent returns the audit event of a transfer. Call it before the transfer is stored. The event contains the
// former owner, the change of the member's role, and the offer that the transfer ends.
func (s *Service) transferEvent(ctx context.Context, repos ports.Repos, by domain.Requester, access domain.Access,
	before domain.BoxUser) (domain.Event, error) {
	former, err := repos.Users.ByID(ctx, access.Box.Owner)
	if err != nil {
		return domain.Event{}, err
	}
	offer, err := s.openOffer(ctx, repos, access.Box)
	if err != nil {
		return domain.Event{}, err
	}
	after, box := before, access.Box
	if err := after.TakeOver(&box); err != nil {
		return domain.Event{}, err
	}
	return s.event(domain.ActionTransferBox, by, access).To(string(after.Name)).
		Changed(domain.Change{Property: domain.PropertyOwner, From: string(former.Name), To: string(after.Name)}).
		Changed(after.ChangesFrom(before)...).
		Changed(domain.BoxOffer{}.ChangesFrom(offer)...), nil
}

// memberToOwn returns the membership of the future owner of a box. It returns ErrNewOwnerNotInBox if this user is
// inactive or is not a member of the box.
func memberToOwn(ctx context.Context, repos ports.Repos, box domain.Box, user domain.User) (domain.BoxUser, error) {
	if !user.Active {
		return domain.BoxUser{}, domain.ErrNewOwnerNotInBox
	}
	found, err := repos.BoxUsers.Get(ctx, box.ID, user.Name)
	if errors.Is(err, domain.NotFound) {
		return domain.BoxUser{}, domain.ErrNewOwnerNotInBox
	}
	return found, err
}
