package vault

import (
	"context"
	"errors"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// UndoWrite undoes the write of a version; see ports.DropletVault. It stores the replaced version again, with the next
// version number. If the entry had no value before the write, UndoWrite deletes the entry instead.
//
// The actor of the audit event is the service, but the restored version keeps its author. It also stays sealed under
// the key with which it was written. This key need not be the current key of the box, because UndoWrite restores the
// state before the write.
//
// If the replaced version is no longer stored or fails authentication, it cannot be restored. UndoWrite then deletes
// the written version, so that damaged data does not block the removal of a droplet.
func (s *Service) UndoWrite(ctx context.Context, by domain.Requester, written domain.VersionRef,
	replaced uint64) error {
	if replaced == 0 {
		return s.DeleteUnchanged(ctx, by, written)
	}
	box := domain.Box{ID: written.Box, Name: written.BoxName}
	service := domain.Caller{Name: domain.ServiceActor}
	event := s.config.Gate.Event(domain.ActionRestoreEntry, by, service).About(box).On(written.Key)
	old, err := s.oldVersion(ctx, box, written.Key, replaced)
	switch {
	case errors.Is(err, domain.ErrVersionNotFound):
		return s.DeleteUnchanged(ctx, by, written)
	case ports.IsTampered(err):
		if err := s.config.Gate.Audit(ctx, event.Ended(domain.OutcomeTampered)); err != nil {
			return err
		}
		return s.DeleteUnchanged(ctx, by, written)
	case err != nil:
		return err
	}
	err = s.config.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		return s.restoreUnchanged(ctx, repos, written, old, event)
	})
	if errors.Is(err, errChanged) {
		return nil
	}
	return err
}

// restoreUnchanged stores the old version as the next version after the written one. It returns errChanged if the
// written version is no longer the newest version of the entry, or if the entry or its box was deleted.
func (s *Service) restoreUnchanged(ctx context.Context, repos ports.Repos, written domain.VersionRef,
	old ports.StoredVersion, event domain.Event) error {
	entry := domain.Entry{Box: written.Box, Key: written.Key, Version: written.Version}
	unchanged, err := repos.Entries.LockVersion(ctx, entry)
	if err != nil {
		return err
	}
	if !unchanged {
		return errChanged
	}
	entry = entry.Next(s.config.Clock.Now())
	version, err := s.rebind(ctx, old, entry, old.Author)
	if err != nil {
		return err
	}
	version.BoxKey = old.BoxKey
	// Do not reserve space for the version, because a full box must not prevent the rollback. The next write of the
	// entry reserves the missing space.
	return repos.Entries.AddVersion(ctx, entry, version, s.config.KeepVersions, event)
}
