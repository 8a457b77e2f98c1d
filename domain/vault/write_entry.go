package vault

import (
	"context"
	"errors"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// WriteEntry asks for a value to be written.
type WriteEntry struct {
	Box string
	Key string
	// Value is JSON text, kept as it is.
	Value         []byte
	EncryptionKey string
	Condition     domain.Condition
	// Note, where it is set, is called in the transaction that writes, for whoever must know for certain what was written.
	Note func(ctx context.Context, repos ports.Repos, entry domain.Entry) error
}

// WrittenEntry says what became of a write.
type WrittenEntry struct {
	Box     domain.BoxName
	Key     domain.EntryKey
	Version uint64
	// KeyChanged: the version before this one was sealed under another encryption key.
	KeyChanged bool
}

// WriteEntry writes a value as a new version. What is slow, deriving from the client's key, comes first. The number of the
// version is part of what is sealed: it is taken from the facts, and the value is sealed again under the lock on the entry
// where that number did not hold.
func (s *Service) WriteEntry(ctx context.Context, by domain.Requester, in WriteEntry) (WrittenEntry, error) {
	box, key := parseAddress(in.Box, in.Key)
	facts, err := s.writeFacts(ctx, by, box, key)
	if err != nil {
		return WrittenEntry{}, err
	}
	event := s.event(domain.ActionWriteEntry, by, facts.Access).On(key)
	if err := facts.Access.Use(domain.CreateEntry); err != nil {
		return WrittenEntry{}, s.refused(ctx, event, err)
	}
	if err := s.checkPut(in); err != nil {
		return WrittenEntry{}, err
	}
	// So that no key is derived for a write that will be refused. It counts only if the entry is still at this version when
	// the value is stored.
	if err := in.Condition.Check(facts.Entry); err != nil {
		return WrittenEntry{}, err
	}
	cipher, err := s.prepareWrite(ctx, in, facts)
	if err != nil {
		return WrittenEntry{}, s.refused(ctx, event, err)
	}
	defer cipher.Clear()
	written := WrittenEntry{Box: box, Key: key}
	write := versionWrite{
		facts:     facts,
		wanted:    domain.CreateEntry,
		condition: in.Condition,
		event:     event,
		note:      in.Note,
	}
	write.seal = func(entry domain.Entry, before ports.Sealed) (ports.NewVersion, error) {
		written.Version = entry.Version
		written.KeyChanged = before.Envelope != nil && !cipher.Fits(before)
		place := ports.Place{
			Box:      entry.Box,
			Key:      entry.Key,
			Version:  entry.Version,
			SealedAs: entry.Version,
		}
		sealed, err := cipher.Seal(place, in.Value)
		return ports.NewVersion{Place: place, Sealed: sealed, Author: facts.Access.Caller.UserID}, err
	}
	if err := s.writeVersion(ctx, write); err != nil {
		return WrittenEntry{}, s.refused(ctx, event, err)
	}
	return written, nil
}

// writeFacts looks up the caller, the box and the entry's newest version.
func (s *Service) writeFacts(ctx context.Context, by domain.Requester, box domain.BoxName,
	key domain.EntryKey) (ports.EntrySnapshot, error) {
	facts, err := s.Reader.LookUpForWrite(ctx, by.Credential, box, key)
	if err != nil {
		return ports.EntrySnapshot{}, err
	}
	facts.Entry.Box, facts.Entry.Key = facts.Access.Box.ID, key
	return facts, facts.Access.Caller.Authenticate(s.Clock.Now())
}

func (s *Service) checkPut(in WriteEntry) error {
	if _, err := domain.ParseEntryKey(in.Key); err != nil {
		return err
	}
	return domain.CheckValueSize(len(in.Value), s.MaxValueBytes)
}

func (s *Service) prepareWrite(ctx context.Context, in WriteEntry, facts ports.EntrySnapshot) (ports.EntryCipher,
	error) {
	encryptionKey, err := domain.ParseEncryptionKey(in.EncryptionKey)
	if err != nil {
		return nil, err
	}
	defer encryptionKey.Clear()
	if !facts.Entry.Exists() {
		return s.Sealer.Prepare(ctx, encryptionKey, facts.Access.Box.Salt)
	}
	return s.Sealer.Prepare(ctx, encryptionKey, facts.Access.Box.Salt, facts.Version.Envelope())
}

// versionWrite is a version about to be added to an entry.
type versionWrite struct {
	// facts are what was decided upon: whoever makes a versionWrite has held wanted and condition against them.
	facts     ports.EntrySnapshot
	wanted    domain.Permissions
	condition domain.Condition
	event     domain.Event
	note      func(ctx context.Context, repos ports.Repos, entry domain.Entry) error
	// seal makes what is to be stored of the entry, which has just been moved on; before is the version it replaces. It may
	// be called more than once.
	seal func(entry domain.Entry, before ports.Sealed) (ports.NewVersion, error)
}

// writeVersion adds a version to an entry. Most writes replace a value that nobody else is writing: those are stored at
// once where all that was decided upon still holds. Whatever else there is to a write is found out under the lock.
func (s *Service) writeVersion(ctx context.Context, write versionWrite) error {
	if stored, err := s.replace(ctx, write); stored || err != nil {
		return err
	}
	return s.writeLocked(ctx, write)
}

// replace reports false, and has stored nothing, when the write must be decided anew under the lock.
func (s *Service) replace(ctx context.Context, write versionWrite) (stored bool, err error) {
	if !write.facts.Entry.Exists() || write.note != nil {
		return false, nil
	}
	now := s.Clock.Now()
	// Deriving a key can have taken long.
	if err := write.facts.Access.Caller.Authenticate(now); err != nil {
		return false, err
	}
	version, err := write.seal(write.facts.Entry.Next(now), write.facts.Version.Envelope())
	if errors.Is(err, ports.ErrStaleServerKey) {
		return false, nil // the unit of work loads the keys anew
	}
	if err != nil {
		return false, err
	}
	return s.Writer.WriteIfUnchanged(ctx, ports.ConditionalWrite{
		Snapshot: write.facts,
		Version:  version,
		At:       now,
		Keep:     s.KeepVersions,
		Event:    write.event,
	})
}

// writeLocked decides again under the lock whether the caller may, since the wait for a derivation, or for others who
// write, can be long. The box's row is locked only when a place among its entries is taken, that is when the entry has no
// value yet: writers who replace values of different entries do not wait for each other.
func (s *Service) writeLocked(ctx context.Context, write versionWrite) error {
	box, key, counted := write.facts.Access.Box, write.facts.Entry.Key, !write.facts.Entry.Exists()
	return s.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		now := s.Clock.Now()
		if counted {
			if err := repos.Entries.CountIn(ctx, box.ID, s.MaxEntriesPerBox, now); err != nil {
				return err
			}
		}
		locked, err := s.lockEntry(ctx, repos, write.facts, key, write.wanted)
		if err != nil {
			return err
		}
		if locked.Entry.Exists() == counted {
			// Somebody created or deleted it in between. The lock on the box must come first: start over.
			counted = !locked.Entry.Exists()
			return ports.ErrStartOver
		}
		if err := write.condition.Check(locked.Entry); err != nil {
			return err
		}
		before, err := newest(ctx, repos, write.facts.Version, locked.Entry)
		if err != nil {
			return err
		}
		entry := locked.Entry.Next(now)
		version, err := write.seal(entry, before)
		if err != nil {
			return err
		}
		if err := repos.Entries.AddVersion(ctx, entry, version, s.KeepVersions, write.event); err != nil ||
			write.note == nil {
			return err
		}
		return write.note(ctx, repos, entry)
	})
}

// newest returns the envelope of the value of an entry that is locked, if it has one: the one that was looked up before
// the lock, unless somebody has written since.
func newest(ctx context.Context, repos ports.Repos, known ports.StoredVersion, locked domain.Entry) (ports.Sealed,
	error) {
	if locked.Exists() && known.Place.Version != locked.Version {
		var err error
		known, err = repos.Entries.Version(ctx, locked.Box, locked.Key, locked.Version)
		if err != nil && !errors.Is(err, domain.ErrVersionNotFound) {
			return ports.Sealed{}, err
		}
	}
	return known.Envelope(), nil
}

// lockEntry locks an entry for a caller who may still do with it what is wanted.
func (s *Service) lockEntry(ctx context.Context, repos ports.Repos, facts ports.EntrySnapshot, key domain.EntryKey,
	wanted domain.Permissions) (ports.LockedEntry, error) {
	now := s.Clock.Now()
	locked, err := repos.Entries.Lock(ctx, facts.Access.Caller.Credential, facts.Access.Box, key, now)
	if err != nil {
		return ports.LockedEntry{}, err
	}
	if err := locked.Access.Caller.Authenticate(now); err != nil {
		return ports.LockedEntry{}, err
	}
	return locked, locked.Access.Use(wanted)
}
