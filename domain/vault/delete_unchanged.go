package vault

import (
	"context"
	"errors"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// errChanged rolls back a transaction if the entry was deleted or has a newer version.
var errChanged = errors.New("the entry has changed since it was written")

// DeleteUnchanged deletes an entry if its newest version is still the given version; see ports.DropletVault. It does
// nothing if the entry was changed or deleted, or if its box was deleted. It runs in the name of the service, so it
// does not authorise a caller. The actor of the audit event is the service, but the address and the request id are
// those of the requester.
func (s *Service) DeleteUnchanged(ctx context.Context, by domain.Requester, version domain.VersionRef) error {
	service := domain.Caller{Name: domain.ServiceActor}
	err := s.config.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		now := s.config.Clock.Now()
		if err := repos.Entries.CountOut(ctx, version.Box, now); err != nil {
			return err
		}
		deleted, err := repos.Entries.DeleteVersion(ctx, domain.Entry{
			Box:       version.Box,
			Key:       version.Key,
			Version:   version.Version,
			UpdatedAt: now,
		})
		if err != nil {
			return err
		}
		if !deleted {
			return errChanged
		}
		box := domain.Box{ID: version.Box, Name: version.BoxName}
		event := s.config.Gate.Event(domain.ActionDeleteEntry, by, service).About(box).On(version.Key)
		return repos.Events.Append(ctx, event)
	})
	// CountOut returns ErrEntryNotFound if the box was deleted or has no entries.
	if errors.Is(err, errChanged) || errors.Is(err, domain.ErrEntryNotFound) {
		return nil
	}
	return err
}
