package droplets

import (
	"context"
	"errors"
	"time"

	"github.com/lockbox-go/lockbox/domain"
)

// Delete removes a droplet. It also deletes the entry of the private key, unless the entry has changed since the key
// was stored. It returns the updated list, newest first. Only managers may call it. When the host does not answer, a
// later request about droplets completes the removal.
func (s *Service) Delete(ctx context.Context, by domain.Requester, name string) ([]domain.Droplet, error) {
	caller, droplet, err := s.find(ctx, by, domain.ActionDeleteDroplet, name)
	if err != nil {
		return nil, err
	}
	event := s.config.Gate.Event(domain.ActionDeleteDroplet, by, caller).To(name)
	if err := s.remove(ctx, by, event, droplet); err != nil {
		return nil, err
	}
	return s.listAndCleanUp(ctx, by)
}

// remove removes a droplet. It continues after the client has disconnected, so that no removal stops halfway.
func (s *Service) remove(ctx context.Context, by domain.Requester, event domain.Event, droplet domain.Droplet) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTimeout)
	defer cancel()
	claimed, ok, err := s.claimFor(ctx, droplet)
	if err != nil {
		return err
	}
	if err := withName(droplet, s.config.Host.Remove(ctx, droplet.Container)); err != nil {
		if ok {
			err = s.unclaim(ctx, claimed, err)
		}
		return s.audit(ctx, event, err)
	}
	if !ok {
		return s.audit(ctx, event, nil)
	}
	entry := claimed.VersionRef
	return s.removeAll(ctx, by, claimed, nil, event.About(domain.Box{ID: entry.Box, Name: entry.BoxName}).On(entry.Key))
}

// claimFor claims the record of a droplet. The result ok is false if the droplet has no record or if another server is
// removing the droplet.
func (s *Service) claimFor(ctx context.Context, droplet domain.Droplet) (claimed domain.DropletRecord, ok bool,
	err error) {
	records, err := s.config.Store.Read().Droplets.List(ctx)
	if err != nil {
		return domain.DropletRecord{}, false, err
	}
	for _, record := range records {
		if len(containersOf(record, []domain.Droplet{droplet})) > 0 && !record.Abandoned {
			return s.config.Store.Read().Droplets.Claim(ctx, record, s.config.Clock.Now().Add(lease))
		}
	}
	return domain.DropletRecord{}, false, nil
}

// unclaim undoes a claim after the host refused to remove the droplet. It returns the refusal. If the host did not
// answer, the record stays claimed, but unclaim ends the lease. The next cleanup can then complete the removal.
func (s *Service) unclaim(ctx context.Context, claimed domain.DropletRecord, refusal error) error {
	var complete time.Time
	switch {
	case isHostUnavailable(refusal):
		return errors.Join(refusal, s.config.Store.Read().Droplets.Release(ctx, claimed, s.config.Clock.Now()))
	case !claimed.Complete():
		return refusal // the claim ended the build: keep it, so that cleanup tries again after the lease
	default:
		return errors.Join(refusal, s.config.Store.Read().Droplets.Release(ctx, claimed, complete))
	}
}
