package vault

import (
	"context"
	"errors"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// offer stores an offer of the box to the given user. It replaces an earlier offer. The caller must hold the locks on
// this user and on the box.
func (s *Service) offer(ctx context.Context, repos ports.Repos, by domain.Requester, access domain.Access,
	to domain.User) error {
	next, err := memberToOwn(ctx, repos, access.Box, to)
	if err != nil {
		return err
	}
	offer, err := domain.NewBoxOffer(next, s.config.Clock.Now())
	if err != nil {
		return err
	}
	before, err := s.openOffer(ctx, repos, access.Box)
	if err != nil {
		return err
	}
	if err := repos.Boxes.SaveOffer(ctx, access.Box.ID, offer); err != nil {
		return err
	}
	event := s.event(domain.ActionOfferBox, by, access).To(string(to.Name)).Changed(offer.ChangesFrom(before)...)
	return repos.Events.Append(ctx, event)
}

// openOffer returns the open offer of a box, or zero if there is none.
func (s *Service) openOffer(ctx context.Context, repos ports.Repos, box domain.Box) (domain.BoxOffer, error) {
	offer, err := repos.Boxes.Offer(ctx, box.ID)
	if err != nil || !offer.Open(s.config.Clock.Now()) {
		return domain.BoxOffer{}, err
	}
	return offer, nil
}

// endOffer deletes the open offer of a box and appends an audit event. If there is no open offer, it does nothing. The
// caller must hold the lock on the box.
func (s *Service) endOffer(ctx context.Context, repos ports.Repos, by domain.Requester, access domain.Access) error {
	offer, err := s.openOffer(ctx, repos, access.Box)
	if err != nil || offer.To.IsZero() {
		return err
	}
	if err := repos.Boxes.SaveOffer(ctx, access.Box.ID, domain.BoxOffer{}); err != nil {
		return err
	}
	event := s.event(domain.ActionEndBoxOffer, by, access).To(string(offer.ToName))
	return repos.Events.Append(ctx, event.Changed(domain.BoxOffer{}.ChangesFrom(offer)...))
}

// AcceptBox makes the caller the owner of a box that was offered to the caller. Errors: NotFound with code
// box_offer_not_found if the caller has no open offer; Conflict if the caller owns too many boxes.
func (s *Service) AcceptBox(ctx context.Context, by domain.Requester, box string) error {
	access, err := s.authorize(ctx, s.config.Store.Read(), by, box, domain.Access.See)
	if err != nil {
		return err
	}
	if err := s.checkOffer(ctx, s.config.Store.Read(), access); err != nil {
		return err
	}
	return s.config.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		// Lock the caller, so that no other request changes the number of boxes that the caller owns. The lock order is
		// user, then box.
		owner, err := repos.Users.Lock(ctx, access.Caller.Name)
		if errors.Is(err, domain.NotFound) {
			return domain.ErrUnauthenticated // deleted concurrently
		}
		if err != nil {
			return err
		}
		if err := repos.Boxes.Lock(ctx, access.Box.ID); err != nil {
			return err
		}
		access, err := s.authorize(ctx, repos, by, box, domain.Access.See)
		if err != nil {
			return err
		}
		if err := s.checkOffer(ctx, repos, access); err != nil {
			return err
		}
		return s.transfer(ctx, repos, by, access, owner)
	})
}

// checkOffer returns ErrBoxOfferNotFound if the box is not offered to the caller or if the offer has expired.
func (s *Service) checkOffer(ctx context.Context, repos ports.Repos, access domain.Access) error {
	offer, err := repos.Boxes.Offer(ctx, access.Box.ID)
	if err != nil {
		return err
	}
	if !offer.Open(s.config.Clock.Now()) || offer.To != access.Caller.UserID {
		return domain.ErrBoxOfferNotFound
	}
	return nil
}

// EndBoxOffer ends the open offer of a box. The owner of the box and admins may call it to withdraw the offer. The
// member to whom the box is offered may call it to decline the offer. If there is no open offer, it returns an error of
// kind NotFound with code box_offer_not_found.
func (s *Service) EndBoxOffer(ctx context.Context, by domain.Requester, box string) error {
	var offer domain.BoxOffer
	decide := func(ctx context.Context, repos ports.Repos, access domain.Access) (err error) {
		if offer, err = repos.Boxes.Offer(ctx, access.Box.ID); err != nil {
			return err
		}
		return access.EndOffer(offer)
	}
	access, err := s.authorize(ctx, s.config.Store.Read(), by, box, domain.Access.See)
	if err != nil {
		return err
	}
	if err := decide(ctx, s.config.Store.Read(), access); err != nil {
		return err
	}
	return s.change(ctx, by, box, domain.Access.See,
		func(ctx context.Context, repos ports.Repos, access domain.Access) error {
			if err := decide(ctx, repos, access); err != nil {
				return err
			}
			if !offer.Open(s.config.Clock.Now()) {
				return domain.ErrBoxOfferNotFound
			}
			return s.endOffer(ctx, repos, by, access)
		})
}
