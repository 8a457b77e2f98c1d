package vault

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// RestoreEntry is the request to make an old version of an entry its newest.
type RestoreEntry struct {
	Box     string
	Key     string
	Version uint64
	// Condition is checked against the newest version, not the restored one.
	Condition domain.Condition
}

// RestoreEntry stores an old version again as the newest version. It needs no encryption key: the value stays sealed
// under the key that it was written with. Restoring a version of a deleted entry undeletes the entry. It requires
// createEntry and readEntry. In a box with a keyring, only a version under the key in force can be restored. A client
// must read any other version and write its value again. Errors: ErrEntryNotFound, ErrVersionNotFound, ErrPrecondition,
// ErrKeyNotCurrent, LimitReached.
func (s *Service) RestoreEntry(ctx context.Context, by domain.Requester, in RestoreEntry) (WrittenEntry, error) {
	const wanted = domain.CreateEntry | domain.ReadEntry
	box, key := parseAddress(in.Box, in.Key)
	snapshot, err := s.lookUpForWrite(ctx, by, box, key)
	if err != nil {
		return WrittenEntry{}, err
	}
	event := s.event(domain.ActionRestoreEntry, by, snapshot.Access).On(key)
	if err := snapshot.Access.Use(wanted); err != nil {
		return WrittenEntry{}, s.config.Gate.Refused(ctx, event, err)
	}
	if snapshot.Entry.Version == 0 {
		return WrittenEntry{}, s.refused(ctx, event, snapshot.Access, domain.ErrEntryNotFound)
	}
	if err := in.Condition.Check(snapshot.Entry); err != nil {
		return WrittenEntry{}, s.refused(ctx, event, snapshot.Access, err)
	}
	old, err := s.oldVersion(ctx, snapshot.Access.Box, key, in.Version)
	if err != nil {
		return WrittenEntry{}, s.refused(ctx, event, snapshot.Access, err)
	}
	if err := snapshot.Access.Box.CheckKey(old.BoxKey); err != nil {
		return WrittenEntry{}, err
	}
	written := WrittenEntry{Box: box, Key: key}
	written.BoxKey, err = s.writeVersion(ctx, versionWrite{
		snapshot:  snapshot,
		wanted:    wanted,
		condition: in.Condition,
		event:     event,
		boxKey:    func() domain.KeyID { return old.BoxKey },
		seal: func(entry domain.Entry, _ ports.Sealed) (ports.NewVersion, error) {
			written.Version = entry.Version
			return s.rebind(ctx, old, entry, snapshot.Access.Caller.UserID)
		},
	})
	if err != nil {
		return WrittenEntry{}, s.refused(ctx, event, snapshot.Access, err)
	}
	return written, nil
}

// oldVersion returns a stored version whose envelope opens under its server key. The check runs outside the
// transaction, because it may read a server key that is not in memory yet from the database.
func (s *Service) oldVersion(ctx context.Context, box domain.Box, key domain.EntryKey, version uint64) (
	ports.StoredVersion, error) {
	old, err := s.config.Store.Read().Entries.Version(ctx, box.ID, key, version)
	if err != nil {
		return ports.StoredVersion{}, err
	}
	_, _, err = s.config.Sealer.Rewrap(ctx, old.Place, old.Sealed.Envelope)
	return old, err
}

// rebind returns an old version as the newest version of its entry. SealedAs stays the number under which the
// client's key sealed the value.
func (s *Service) rebind(ctx context.Context, old ports.StoredVersion, entry domain.Entry, author domain.UserID) (
	ports.NewVersion, error) {
	place := ports.Place{
		Box:      entry.Box,
		Key:      entry.Key,
		Version:  entry.Version,
		SealedAs: old.Place.SealedAs,
	}
	serverKey, envelope, err := s.config.Sealer.Rebind(ctx, old.Place, old.Sealed.Envelope, place)
	return ports.NewVersion{
		Place: place,
		Sealed: ports.SealedValue{
			ServerKey: serverKey,
			Envelope:  envelope,
			Value:     old.Sealed.Value,
		},
		Author: author,
	}, err
}
