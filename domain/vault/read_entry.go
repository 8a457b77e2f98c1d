package vault

import (
	"context"
	"errors"
	"time"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// ReadEntry asks for the value of an entry. Version 0 is the newest.
type ReadEntry struct {
	Box     string
	Key     string
	Version uint64
	// EncryptionKey is the header as it was sent; it is read once the caller is known to be allowed.
	EncryptionKey string
}

// EntryValue is a version of an entry.
type EntryValue struct {
	// JSON is the value as it was sent when it was written.
	JSON      []byte
	Version   uint64
	CreatedAt time.Time
}

// ReadEntry returns the value of an entry once the read is on record. All that decides comes from one look at the
// database, so that a permission taken away before the request came counts.
func (s *Service) ReadEntry(ctx context.Context, by domain.Requester, in ReadEntry) (EntryValue, error) {
	box, key := parseAddress(in.Box, in.Key)
	facts, err := s.Reader.LookUp(ctx, by.Credential, box, key, in.Version)
	if err != nil {
		return EntryValue{}, err
	}
	if err := facts.Access.Caller.Authenticate(s.Clock.Now()); err != nil {
		return EntryValue{}, err
	}
	event := s.event(domain.ActionReadEntry, by, facts.Access).On(key)
	if err := facts.Access.Use(domain.ReadEntry); err != nil {
		return EntryValue{}, s.refused(ctx, event, err)
	}
	value, err := s.open(ctx, by, in, facts)
	if err != nil {
		return EntryValue{}, s.refused(ctx, event, err)
	}
	if err := s.Events.Write(ctx, event); err != nil {
		clear(value)
		return EntryValue{}, err
	}
	return EntryValue{JSON: value, Version: facts.Version.Place.Version, CreatedAt: facts.Version.CreatedAt}, nil
}

// parseAddress reads the two names of an entry's place. A name that cannot exist becomes empty, which is found nowhere.
func parseAddress(box, key string) (domain.BoxName, domain.EntryKey) {
	boxName, err := domain.ParseBoxName(box)
	if err != nil {
		boxName = ""
	}
	entryKey, err := domain.ParseEntryKey(key)
	if err != nil {
		entryKey = ""
	}
	return boxName, entryKey
}

func (s *Service) open(ctx context.Context, by domain.Requester, in ReadEntry, facts ports.EntrySnapshot) ([]byte,
	error) {
	encryptionKey, err := domain.ParseEncryptionKey(in.EncryptionKey)
	if err != nil {
		return nil, err
	}
	defer encryptionKey.Clear()
	switch {
	case !facts.Entry.Exists():
		return nil, domain.ErrEntryNotFound
	case facts.Version.Place.Version == 0:
		return nil, domain.ErrVersionNotFound
	}
	stored := facts.Version
	if err := s.checkGuesses(ctx, by, facts.Access, encryptionKey); err != nil {
		return nil, err
	}
	cipher, err := s.Sealer.PrepareOpen(ctx, encryptionKey, stored.Envelope())
	if err != nil {
		return nil, err
	}
	defer cipher.Clear()
	if !encryptionKey.Generated() {
		// The derivation may have waited its turn for seconds: what was allowed then must be allowed still.
		if _, err := s.access(ctx, s.Store.Read(), by, in.Box, permission(domain.ReadEntry)); err != nil {
			return nil, err
		}
	}
	value, err := cipher.Open(stored.Place, stored.Sealed)
	if errors.Is(err, domain.ErrKeyMismatch) {
		return nil, s.countGuess(ctx, facts.Access, encryptionKey, err)
	}
	return value, err
}
