package droplets

import (
	"context"
	"errors"
	"time"

	"github.com/lockbox-go/lockbox/domain"
)

// Delete removes a droplet and, where its private key went into a box and the entry was not changed since, the entry; for
// managers. It returns the updated list, newest first. A removal that the host was asked for and did not answer is
// completed by the next request about droplets.
func (s *Service) Delete(ctx context.Context, by domain.Requester, name string) ([]domain.Droplet, error) {
	caller, droplet, err := s.find(ctx, by, domain.ActionDeleteDroplet, name)
	if err != nil {
		return nil, err
	}
	if err := s.remove(ctx, by, s.event(domain.ActionDeleteDroplet, by, caller).To(name), droplet); err != nil {
		return nil, err
	}
	return s.look(ctx, by)
}

// remove goes on when the requester hangs up: half a removal is worse than either.
func (s *Service) remove(ctx context.Context, by domain.Requester, event domain.Event, droplet domain.Droplet) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), takeBackPatience)
	defer cancel()
	claimed, ok, err := s.claimFor(ctx, droplet)
	if err != nil {
		return err
	}
	if err := reasonAbout(droplet, s.Host.Remove(ctx, droplet.Container)); err != nil {
		return s.write(ctx, event, s.giveBack(ctx, claimed, ok, err))
	}
	if !ok {
		return s.write(ctx, event, nil)
	}
	return s.dismantle(ctx, by, claimed, nil,
		event.About(domain.Box{ID: claimed.Box, Name: claimed.BoxName}).On(claimed.Key))
}

// claimFor claims the record of a droplet; ok is false where there is none, or where somebody else removes it already.
func (s *Service) claimFor(ctx context.Context, droplet domain.Droplet) (claimed domain.DropletRecord, ok bool,
	err error) {
	records, err := s.Store.Read().Droplets.List(ctx)
	if err != nil {
		return domain.DropletRecord{}, false, err
	}
	for _, record := range records {
		if len(remainsOf(record, []domain.Droplet{droplet})) > 0 && !record.Abandoned {
			return s.Store.Read().Droplets.Claim(ctx, record, s.Clock.Now().Add(lease))
		}
	}
	return domain.DropletRecord{}, false, nil
}

// giveBack undoes a claim when the host would not remove the droplet, and returns its refusal. When the host did not
// answer, whoever comes next finishes the removal.
func (s *Service) giveBack(ctx context.Context, claimed domain.DropletRecord, ok bool, refusal error) error {
	var whole time.Time
	switch {
	case !ok:
		return refusal
	case isSilence(refusal):
		return errors.Join(refusal, s.Store.Read().Droplets.Release(ctx, claimed, s.Clock.Now()))
	case claimed.Container == "":
		return refusal // its making has lost it already: the claim runs out, and it is tried again
	default:
		return errors.Join(refusal, s.Store.Read().Droplets.Release(ctx, claimed, whole))
	}
}
