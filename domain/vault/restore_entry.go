package vault

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// RestoreEntry asks for an old version of an entry to become its newest.
type RestoreEntry struct {
	Box       string
	Key       string
	Version   uint64
	Condition domain.Condition
}

// RestoreEntry makes an old version the newest, still sealed under the client's key that it was written with; a
// deleted entry has a value again.
func (s *Service) RestoreEntry(ctx context.Context, by domain.Requester, in RestoreEntry) (WrittenEntry, error) {
	box, key := parseAddress(in.Box, in.Key)
	facts, err := s.writeFacts(ctx, by, box, key)
	if err != nil {
		return WrittenEntry{}, err
	}
	event := s.event(domain.ActionRestoreEntry, by, facts.Access).On(key)
	if err := facts.Access.Use(domain.CreateEntry | domain.ReadEntry); err != nil {
		return WrittenEntry{}, s.refused(ctx, event, err)
	}
	if facts.Entry.Version == 0 {
		return WrittenEntry{}, domain.ErrEntryNotFound
	}
	if err := in.Condition.Check(facts.Entry); err != nil {
		return WrittenEntry{}, err
	}
	old, err := s.Store.Read().Entries.Version(ctx, facts.Access.Box.ID, key, in.Version)
	if err != nil {
		return WrittenEntry{}, err
	}
	// Opened once outside the transaction, where a server key that is new here may be looked up in the database.
	if _, _, err := s.Sealer.Rewrap(ctx, old.Place, old.Sealed.Envelope); err != nil {
		return WrittenEntry{}, s.refused(ctx, event, err)
	}
	written := WrittenEntry{Box: box, Key: key}
	write := versionWrite{
		facts:     facts,
		wanted:    domain.CreateEntry | domain.ReadEntry,
		condition: in.Condition,
		event:     event,
	}
	write.seal = func(entry domain.Entry, _ ports.Sealed) (ports.NewVersion, error) {
		written.Version = entry.Version
		place := ports.Place{
			Box:      entry.Box,
			Key:      key,
			Version:  entry.Version,
			SealedAs: old.Place.SealedAs,
		}
		serverKey, envelope, err := s.Sealer.Rebind(ctx, old.Place, old.Sealed.Envelope, place)
		sealed := ports.SealedValue{ServerKey: serverKey, Envelope: envelope, Value: old.Sealed.Value}
		return ports.NewVersion{Place: place, Sealed: sealed, Author: facts.Access.Caller.UserID}, err
	}
	if err := s.writeVersion(ctx, write); err != nil {
		return WrittenEntry{}, s.refused(ctx, event, err)
	}
	return written, nil
}
