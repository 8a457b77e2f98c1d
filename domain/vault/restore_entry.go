package vault

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// RestoreEntry is the request to restore an old version of an entry. The old version is stored again as the newest
// version.
type RestoreEntry struct {
	Box     string
	Key     string
	Version uint64
	// Condition is a condition for the newest version of the entry, not for the version that is restored.
	Condition domain.Condition
}

// RestoreEntry stores an old version again as the newest version. If the entry was deleted, RestoreEntry undeletes the
// entry. RestoreEntry requires the permissions createEntry and readEntry. It needs no encryption key, because the value
// stays sealed under the key with which it was written.
//
// If the box has a keyring, the old version must be sealed under the current box key. Otherwise RestoreEntry returns
// ErrKeyNotCurrent, and a client must read the old value and write it again instead.
//
// Other errors: ErrEntryNotFound, ErrVersionNotFound, ErrPrecondition, and the error of domain.LimitReached.
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

// oldVersion returns a stored version, after it has verified that the envelope of this version can be opened with its
// server key. Call it before the transaction, because it may have to load a server key from the database.
func (s *Service) oldVersion(ctx context.Context, box domain.Box, key domain.EntryKey, version uint64) (
	ports.StoredVersion, error) {
	old, err := s.config.Store.Read().Entries.Version(ctx, box.ID, key, version)
	if err != nil {
		return ports.StoredVersion{}, err
	}
	_, _, err = s.config.Sealer.Rewrap(ctx, old.Place, old.Sealed.Envelope)
	return old, err
}

// rebind returns a copy of an old version with a new version number. Place.SealedAs stays the same: it is the version
// number that was authenticated when the value was sealed under the client's key.
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
