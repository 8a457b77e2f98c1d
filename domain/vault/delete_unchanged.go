package vault

import (
	"context"
	"errors"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// errChanged ends the transaction of a removal that finds nothing to remove.
var errChanged = errors.New("the entry is no longer what was written")

// DeleteUnchanged asks for a value to go that the service itself wrote.
type DeleteUnchanged struct {
	Box     domain.BoxID
	BoxName domain.BoxName
	Key     domain.EntryKey
	Version uint64
}

// DeleteUnchanged deletes an entry on the service's own authority, if its value is still that version; nothing happens
// where it was changed or deleted since, or its box is gone. The record names the service, and the request that it came from.
func (s *Service) DeleteUnchanged(ctx context.Context, by domain.Requester, in DeleteUnchanged) error {
	service := domain.Caller{Name: domain.ServiceActor}
	err := s.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		now := s.Clock.Now()
		if err := repos.Entries.CountOut(ctx, in.Box, now); err != nil {
			return err
		}
		deleted, err := repos.Entries.DeleteVersion(ctx, domain.Entry{
			Box:       in.Box,
			Key:       in.Key,
			Version:   in.Version,
			UpdatedAt: now,
		})
		if err != nil {
			return err
		}
		if !deleted {
			return errChanged
		}
		return repos.Events.Append(ctx, domain.NewEvent(s.IDs.New(), domain.ActionDeleteEntry, by, service, now).
			About(domain.Box{ID: in.Box, Name: in.BoxName}).On(in.Key))
	})
	if errors.Is(err, errChanged) || errors.Is(err, domain.ErrEntryNotFound) {
		return nil
	}
	return err
}
