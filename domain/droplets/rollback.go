package droplets

import (
	"context"
	"errors"

	"github.com/lockbox-go/lockbox/domain"
)

// rollback removes the container of a failed build, undoes the write of its private key, audits the failure and returns
// cause. It runs even if the requester has disconnected.
//
// It first claims the record. If another server has claimed the record, that server removes the droplet. If the host
// does not answer, rollback undoes only the write of the private key, and the next cleanup removes the container.
func (b *build) rollback(ctx context.Context, cause error) error {
	s := b.service
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTimeout)
	defer cancel()
	records := s.config.Store.Read().Droplets
	claimed, ok, err := records.Claim(ctx, b.record, s.config.Clock.Now().Add(lease))
	switch {
	case err != nil:
		return errors.Join(cause, s.audit(ctx, b.event, err)) // cleanup removes the droplet when the lease has expired
	case !ok && domain.CodeOf(cause) != domain.ErrDropletAbandoned.Code:
		return cause // the record is complete: the commit succeeded although its outcome was unknown
	case !ok:
		return s.audit(ctx, b.event, cause)
	case isHostUnavailable(cause):
		err := errors.Join(s.undoKeyEntry(ctx, b.by, claimed), records.Release(ctx, claimed, s.config.Clock.Now()))
		return errors.Join(s.audit(ctx, b.event, cause), err)
	}
	failed := b.event.Ended(domain.OutcomeFailed)
	if err := s.removeAll(ctx, b.by, claimed, b.containers(ctx, claimed), failed); err != nil {
		return errors.Join(cause, err, records.Release(ctx, claimed, s.config.Clock.Now()))
	}
	return cause
}

// containers returns the containers that the build created on the host. If the host returned no identifier, it may have
// created a container nevertheless. containers then asks the host for containers with the label of the build. If the
// host does not answer, the result is empty. A later cleanup then removes the container, because it has no record and
// never ran.
func (b *build) containers(ctx context.Context, claimed domain.DropletRecord) []domain.Droplet {
	if b.container != "" {
		return []domain.Droplet{{Container: b.container, Name: b.name}}
	}
	droplets, err := b.service.config.Host.List(ctx)
	if err != nil {
		return nil
	}
	return containersOf(claimed, droplets)
}
