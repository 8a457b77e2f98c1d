package vault

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// WriteEntry is the request to write a value.
type WriteEntry struct {
	Box string
	Key string
	// Value is JSON text, stored byte for byte.
	Value []byte
	// EncryptionKey may be unusable: the use case checks it after it has authorised the caller. The caller of
	// WriteEntry clears the key.
	EncryptionKey domain.EncryptionKey
	// Condition is checked under the lock on the entry, or by the statement that stores the value.
	Condition domain.Condition
}

// WrittenEntry is the result of a write.
type WrittenEntry struct {
	Box     domain.BoxName
	Key     domain.EntryKey
	Version uint64
	// KeyChanged means that the previous version was sealed under another encryption key. The response reports the
	// change of the key. Otherwise, only the next reader would notice a write with a mistyped key.
	KeyChanged bool
	// BoxKey identifies the box key under which the version is encrypted. It is zero if the box has no keyring, or if
	// the caller lacks readEntry.
	BoxKey domain.KeyID
}

// WriteEntry writes a value as a new version of an entry.
//
// The slow part, key derivation, comes first and without locks. The version number is authenticated together with the
// value, so it must be known when the value is sealed. WriteEntry first assumes the number that follows the newest
// version in the snapshot. If another request has used that number meanwhile, WriteEntry seals the value again under
// the lock.
//
// Errors, in this order: those of authentication and authorisation, an invalid entry key, TooLarge, ErrPrecondition,
// those of the encryption key, ErrKeyNotCurrent, LimitReached.
func (s *Service) WriteEntry(ctx context.Context, by domain.Requester, in WriteEntry) (WrittenEntry, error) {
	key := requestKey{EncryptionKey: in.EncryptionKey, sealer: s.config.Sealer, writes: true}
	defer key.clear()
	return s.writeEntry(ctx, by, in, &key, domain.DropletID{})
}

// writeEntry is like WriteEntry, but uses the argument key instead of in.EncryptionKey. A cipher that key already holds
// is used again. If droplet is not zero, the same transaction also notes the version in the droplet's record.
func (s *Service) writeEntry(ctx context.Context, by domain.Requester, in WriteEntry, key *requestKey,
	droplet domain.DropletID) (WrittenEntry, error) {
	box, entryKey := parseAddress(in.Box, in.Key)
	snapshot, err := s.lookUpForWrite(ctx, by, box, entryKey)
	if err != nil {
		return WrittenEntry{}, err
	}
	event := s.event(domain.ActionWriteEntry, by, snapshot.Access).On(entryKey)
	if err := snapshot.Access.Use(domain.CreateEntry); err != nil {
		return WrittenEntry{}, s.config.Gate.Refused(ctx, event, err)
	}
	if err := s.checkWrite(in, snapshot); err != nil {
		return WrittenEntry{}, s.refused(ctx, event, snapshot.Access, err)
	}
	if err := checkBoxKey(key.EncryptionKey, snapshot.Access.Box); err != nil {
		return WrittenEntry{}, err
	}
	if err := prepareWrite(ctx, key, snapshot); err != nil {
		return WrittenEntry{}, s.config.Gate.Refused(ctx, event, err)
	}
	written := WrittenEntry{Box: box, Key: entryKey}
	write := versionWrite{
		snapshot:  snapshot,
		wanted:    domain.CreateEntry,
		condition: in.Condition,
		event:     event,
		droplet:   droplet,
		boxKey:    key.ID,
		seal: func(entry domain.Entry, before ports.Sealed) (ports.NewVersion, error) {
			written.Version = entry.Version
			written.KeyChanged = before.Envelope != nil && !key.cipher.Fits(before)
			return sealNew(key.cipher, entry, in.Value, snapshot.Access.Caller.UserID)
		},
	}
	if written.BoxKey, err = s.writeVersion(ctx, write); err != nil {
		return WrittenEntry{}, s.refused(ctx, event, snapshot.Access, err)
	}
	return written, nil
}

// checkBoxKey refuses an encryption key that is not the current key of a box with a keyring. It is called before the
// slow key derivation. For an unusable key, it returns the error of that key.
func checkBoxKey(key domain.EncryptionKey, box domain.Box) error {
	if err := key.Check(); err != nil || box.Key.IsZero() {
		return err
	}
	return box.CheckKey(key.ID())
}

// lookUpForWrite shares its statement with concurrent requests; see ports.EntryReader. It returns an authenticated
// caller, the box and the entry's newest version.
func (s *Service) lookUpForWrite(ctx context.Context, by domain.Requester, box domain.BoxName,
	key domain.EntryKey) (ports.EntrySnapshot, error) {
	snapshot, err := s.config.Reader.LookUpForWrite(ctx, by.Credential, box, key)
	if err != nil {
		return ports.EntrySnapshot{}, err
	}
	snapshot.Entry.Box, snapshot.Entry.Key = snapshot.Access.Box.ID, key
	return snapshot, snapshot.Access.Caller.Authenticate(s.config.Clock.Now())
}

// checkWrite makes the checks that need no derived key. The condition is checked again when the value is stored; only
// that check is authoritative.
func (s *Service) checkWrite(in WriteEntry, snapshot ports.EntrySnapshot) error {
	if _, err := domain.ParseEntryKey(in.Key); err != nil {
		return err
	}
	if err := domain.CheckValueSize(len(in.Value), s.config.MaxValueBytes); err != nil {
		return err
	}
	return in.Condition.Check(snapshot.Entry)
}

// prepareWrite prepares the key for sealing, and for comparing it with the key of the current version.
func prepareWrite(ctx context.Context, key *requestKey, snapshot ports.EntrySnapshot) error {
	if err := key.Check(); err != nil {
		return err
	}
	if !snapshot.Entry.Exists() {
		return key.prepare(ctx, snapshot.Access.Box)
	}
	return key.prepare(ctx, snapshot.Access.Box, snapshot.Version.Envelope())
}

// sealNew seals a value as the newest version of an entry.
func sealNew(cipher ports.EntryCipher, entry domain.Entry, value []byte, author domain.UserID) (ports.NewVersion,
	error) {
	place := ports.Place{
		Box:      entry.Box,
		Key:      entry.Key,
		Version:  entry.Version,
		SealedAs: entry.Version,
	}
	sealed, err := cipher.Seal(place, value)
	return ports.NewVersion{Place: place, Sealed: sealed, Author: author}, err
}
