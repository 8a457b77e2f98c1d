package vault

import (
	"context"
	"errors"
	"time"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// ReadEntry is the request to read a version of an entry. Version 0 means the newest version.
type ReadEntry struct {
	Box     string
	Key     string
	Version uint64
	// EncryptionKey may be missing or malformed. The use case first authorises the caller, and only then checks the
	// key. The caller of ReadEntry must clear the key.
	EncryptionKey domain.EncryptionKey
	// Condition is a condition for the version that is read. It is checked after the encryption key.
	Condition domain.Condition
}

// EntryValue is a version of an entry.
type EntryValue struct {
	// JSON is the value, byte for byte as it was written. It is nil if Unmodified is true. The caller must clear it.
	JSON []byte
	// Unmodified is true if the caller already has this version, as the condition of the request states.
	Unmodified bool
	Version    uint64
	// CreatedAt is the time at which the version was written or restored.
	CreatedAt time.Time
	// BoxKey identifies the box key under which the version is encrypted. It is zero if the box had no keyring when the
	// version was written.
	BoxKey domain.KeyID
}

// ReadEntry returns the value of an entry. It first commits the audit event of the read. One SQL statement reads the
// caller, the permissions and the version, so a permission that was revoked before the request arrived is never used.
//
// It returns the first of these errors that applies:
//
//   - an error of authentication or authorisation
//   - an error that the encryption key is missing or malformed
//   - RateLimited after too many wrong passphrases
//   - ErrEntryNotFound or ErrVersionNotFound
//   - ErrKeyMismatch
//   - ErrPrecondition
//
// The condition is checked last, so that it never hides another error. Together with ErrKeyMismatch, the result
// contains the BoxKey of the version, so that the caller can choose the right key.
func (s *Service) ReadEntry(ctx context.Context, by domain.Requester, in ReadEntry) (EntryValue, error) {
	key := requestKey{EncryptionKey: in.EncryptionKey, sealer: s.config.Sealer}
	defer key.clear()
	return s.readEntry(ctx, by, in, &key)
}

// readEntry does the same as ReadEntry, but uses the key argument instead of in.EncryptionKey. If this requestKey
// already has a cipher, readEntry uses the cipher again.
func (s *Service) readEntry(ctx context.Context, by domain.Requester, in ReadEntry, key *requestKey) (EntryValue,
	error) {
	box, entryKey := parseAddress(in.Box, in.Key)
	snapshot, err := s.config.Reader.LookUp(ctx, by.Credential, box, entryKey, in.Version)
	if err != nil {
		return EntryValue{}, err
	}
	if err := snapshot.Access.Caller.Authenticate(s.config.Clock.Now()); err != nil {
		return EntryValue{}, err
	}
	event := s.event(domain.ActionReadEntry, by, snapshot.Access).On(entryKey)
	if err := snapshot.Access.Use(domain.ReadEntry); err != nil {
		return EntryValue{}, s.config.Gate.Refused(ctx, event, err)
	}
	value, err := s.open(ctx, by, in.Box, snapshot, key)
	if errors.Is(err, domain.ErrKeyMismatch) {
		return EntryValue{BoxKey: snapshot.Version.BoxKey}, s.config.Gate.Refused(ctx, event, err)
	}
	if err != nil {
		return EntryValue{}, s.refused(ctx, event, snapshot.Access, err)
	}
	read := EntryValue{
		JSON:      value,
		Version:   snapshot.Version.Place.Version,
		CreatedAt: snapshot.Version.CreatedAt,
		BoxKey:    snapshot.Version.BoxKey,
	}
	if err := s.release(ctx, in.Condition, event, snapshot, &read); err != nil {
		clear(value)
		return EntryValue{}, s.refused(ctx, event, snapshot.Access, err)
	}
	return read, nil
}

// release checks the condition and commits the audit event. The value must not leave the server before the commit. If
// the caller already has the version, release clears read.JSON and sets the target of the event to
// domain.TargetUnmodified.
//
// If the database has failed over since the lookup, the value may be out of date. In this case, release returns an
// error.
func (s *Service) release(ctx context.Context, condition domain.Condition, event domain.Event,
	snapshot ports.EntrySnapshot, read *EntryValue) error {
	var err error
	if read.Unmodified, err = condition.CheckRead(read.Version); err != nil {
		return err
	}
	if read.Unmodified {
		clear(read.JSON)
		read.JSON = nil
		event = event.To(domain.TargetUnmodified)
	}
	if err := s.config.Gate.Audit(ctx, event); err != nil {
		return err
	}
	return s.config.Reader.CheckCurrent(snapshot)
}

// parseAddress parses the name of a box and the key of an entry. If a text is invalid, the result is empty. No box and
// no entry has an empty name, so the error is the same as for a box or an entry that does not exist.
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

// open checks the key and decrypts the version in the snapshot.
func (s *Service) open(ctx context.Context, by domain.Requester, box string, snapshot ports.EntrySnapshot,
	key *requestKey) ([]byte, error) {
	if err := key.Check(); err != nil {
		return nil, err
	}
	// Check for a lockout first, because the response during a lockout must not reveal whether the entry exists.
	if !key.Generated() {
		if err := s.config.Gate.CheckPassphrase(ctx, by, snapshot.Access); err != nil {
			return nil, err
		}
	}
	// The versions of a deleted entry cannot be read. They can only be restored.
	switch {
	case !snapshot.Entry.Exists():
		return nil, domain.ErrEntryNotFound
	case snapshot.Version.Place.Version == 0:
		return nil, domain.ErrVersionNotFound
	}
	if key.Generated() {
		if err := key.prepare(ctx, snapshot.Access.Box, snapshot.Version.Envelope()); err != nil {
			return nil, err
		}
		return key.cipher.Open(snapshot.Version.Place, snapshot.Version.Sealed)
	}
	return s.openWithPassphrase(ctx, by, box, snapshot, key)
}

// openWithPassphrase decrypts the version. Unlike a generated key, a passphrase can be guessed, so openWithPassphrase
// counts a wrong passphrase for the rate limit. The calling function must have checked that the caller is not locked
// out.
func (s *Service) openWithPassphrase(ctx context.Context, by domain.Requester, box string,
	snapshot ports.EntrySnapshot, key *requestKey) ([]byte, error) {
	if err := key.prepare(ctx, snapshot.Access.Box, snapshot.Version.Envelope()); err != nil {
		return nil, err
	}
	// Authorise the caller again. The key derivation may have waited for seconds, and access may have been revoked in
	// that time.
	if _, err := s.authorize(ctx, s.config.Store.Read(), by, box, permission(domain.ReadEntry)); err != nil {
		return nil, err
	}
	value, err := key.cipher.Open(snapshot.Version.Place, snapshot.Version.Sealed)
	// Count only a wrong passphrase, so that a read with the right passphrase updates no counter in the database.
	if errors.Is(err, domain.ErrKeyMismatch) {
		if err := s.config.Gate.CountPassphrase(ctx, snapshot.Access); err != nil {
			return nil, err
		}
	}
	return value, err
}
