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
	// Value is JSON text. It is stored byte for byte.
	Value []byte
	// EncryptionKey may be missing or malformed. The use case first authorises the caller, and only then checks the
	// key. The caller of WriteEntry must clear the key.
	EncryptionKey domain.EncryptionKey
	// Condition is a condition for the newest version of the entry. WriteEntry checks it before the key derivation, and
	// again when it stores the value.
	Condition domain.Condition
}

// WrittenEntry is the result of a write.
type WrittenEntry struct {
	Box     domain.BoxName
	Key     domain.EntryKey
	Version uint64
	// KeyChanged is true if this version and the previous one were sealed under different encryption keys. The response
	// contains this result, so that a client notices immediately if it has used a mistyped key.
	KeyChanged bool
	// BoxKey identifies the box key under which the version is encrypted. It is zero if the box has no keyring, or if
	// the caller does not have the permission readEntry.
	BoxKey domain.KeyID
}

// WriteEntry writes a value as a new version of an entry.
//
// Key derivation is slow, so it comes first and holds no locks. The version number is authenticated together with the
// value, so it must be known when the value is sealed. WriteEntry first tries the number that follows the newest
// version in the snapshot. If another request has already used this number, WriteEntry seals the value again, under the
// lock on the entry.
//
// It returns the first of these errors that applies:
//
//   - an error of authentication or authorisation
//   - an error that the key of the entry is invalid
//   - TooLarge
//   - ErrPrecondition
//   - an error that the encryption key is missing or malformed
//   - ErrKeyNotCurrent
//   - the error of domain.LimitReached
func (s *Service) WriteEntry(ctx context.Context, by domain.Requester, in WriteEntry) (WrittenEntry, error) {
	key := requestKey{EncryptionKey: in.EncryptionKey, sealer: s.config.Sealer, writes: true}
	defer key.clear()
	return s.writeEntry(ctx, by, in, &key, domain.DropletID{})
}

// writeEntry does the same as WriteEntry, but uses the key argument instead of in.EncryptionKey. If this requestKey
// already has a cipher, writeEntry uses the cipher again. If droplet is not zero, the same transaction also stores a
// reference to the version in the droplet's record.
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

// checkBoxKey returns an error if the encryption key is missing or malformed. If the box has a keyring, it also returns
// an error if the encryption key is not the current box key. Call it before the slow key derivation.
func checkBoxKey(key domain.EncryptionKey, box domain.Box) error {
	if err := key.Check(); err != nil || box.Key.IsZero() {
		return err
	}
	return box.CheckKey(key.ID())
}

// lookUpForWrite returns the authenticated caller, the box and the newest version of the entry. It uses one SQL
// statement, which also serves concurrent requests; see ports.EntryReader.
func (s *Service) lookUpForWrite(ctx context.Context, by domain.Requester, box domain.BoxName,
	key domain.EntryKey) (ports.EntrySnapshot, error) {
	snapshot, err := s.config.Reader.LookUpForWrite(ctx, by.Credential, box, key)
	if err != nil {
		return ports.EntrySnapshot{}, err
	}
	snapshot.Entry.Box, snapshot.Entry.Key = snapshot.Access.Box.ID, key
	return snapshot, snapshot.Access.Caller.Authenticate(s.config.Clock.Now())
}

// checkWrite makes the checks for which no key must be derived. The check of the condition here is only preliminary:
// the condition is checked again when the value is stored.
func (s *Service) checkWrite(in WriteEntry, snapshot ports.EntrySnapshot) error {
	if _, err := domain.ParseEntryKey(in.Key); err != nil {
		return err
	}
	if err := domain.CheckValueSize(len(in.Value), s.config.MaxValueBytes); err != nil {
		return err
	}
	return in.Condition.Check(snapshot.Entry)
}

// prepareWrite prepares a cipher that can seal the new version. If the entry has a value, the cipher can also report
// whether the current version was sealed under the key of this request.
func prepareWrite(ctx context.Context, key *requestKey, snapshot ports.EntrySnapshot) error {
	if err := key.Check(); err != nil {
		return err
	}
	if !snapshot.Entry.Exists() {
		return key.prepare(ctx, snapshot.Access.Box)
	}
	return key.prepare(ctx, snapshot.Access.Box, snapshot.Version.Envelope())
}

// sealNew seals a value as the version with the number entry.Version.
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
