package vault

import (
	"context"
	"errors"
	"time"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// ReadEntry is the request to read a version of an entry. Version 0 means the newest.
type ReadEntry struct {
	Box     string
	Key     string
	Version uint64
	// EncryptionKey may be unusable: the use case checks it after it has authorised the caller. The caller of ReadEntry
	// clears the key.
	EncryptionKey domain.EncryptionKey
	// Condition applies to the version that is read. It is checked after the encryption key.
	Condition domain.Condition
}

// EntryValue is a version of an entry.
type EntryValue struct {
	// JSON is the value, byte for byte as it was written. The caller clears it. It is nil if Unmodified is set.
	JSON []byte
	// Unmodified means that the caller already has this version, according to the condition of the read.
	Unmodified bool
	Version    uint64
	// CreatedAt is the time at which the version was written or restored.
	CreatedAt time.Time
	// BoxKey identifies the box key under which the version was encrypted. It is zero if the box had no keyring at that
	// time.
	BoxKey domain.KeyID
}

// ReadEntry returns the value of an entry after the read was audited. One statement reads the caller, the permissions
// and the version. A permission that was revoked before the request arrived is therefore never used.
//
// Errors, in this order: those of authentication and authorisation, then those of the encryption key, RateLimited after
// too many wrong passphrases, ErrEntryNotFound and ErrVersionNotFound, ErrKeyMismatch, and ErrPrecondition. The
// condition is checked last: adding a condition to a read must not hide another error of that read. With
// ErrKeyMismatch, the result has the BoxKey of the version, so that the caller can choose the right key.
func (s *Service) ReadEntry(ctx context.Context, by domain.Requester, in ReadEntry) (EntryValue, error) {
	key := requestKey{EncryptionKey: in.EncryptionKey, sealer: s.config.Sealer}
	defer key.clear()
	return s.readEntry(ctx, by, in, &key)
}

// readEntry is like ReadEntry, but uses the argument key instead of in.EncryptionKey. A cipher that key already holds
// is used again.
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

// release checks the condition and audits the read. The value must not leave the server before its event is committed.
// A caller that already has the version gets no value. The target of the event is then domain.TargetUnmodified.
//
// The lookup and the event may use connections to different primaries, if the database fails over between them. The
// value may then be out of date, so release returns an error.
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

// parseAddress reads the names of a box and an entry. An invalid name becomes the empty name. No box and no entry has
// the empty name, so the caller gets the same answer as for a name that does not exist.
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
	// A lockout is checked before the entry: the answer during a lockout must not depend on whether the entry exists.
	if !key.Generated() {
		if err := s.config.Gate.CheckPassphrase(ctx, by, snapshot.Access); err != nil {
			return nil, err
		}
	}
	// The versions of a deleted entry cannot be read, only restored.
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

// openWithPassphrase decrypts the version. It counts a wrong passphrase for the rate limit. The calling function has
// already checked that there is no lockout. Unlike a generated key, a passphrase can be guessed.
func (s *Service) openWithPassphrase(ctx context.Context, by domain.Requester, box string,
	snapshot ports.EntrySnapshot, key *requestKey) ([]byte, error) {
	if err := key.prepare(ctx, snapshot.Access.Box, snapshot.Version.Envelope()); err != nil {
		return nil, err
	}
	// The derivation may have waited in its queue for seconds. Access may have been revoked during that time.
	if _, err := s.authorize(ctx, s.config.Store.Read(), by, box, permission(domain.ReadEntry)); err != nil {
		return nil, err
	}
	value, err := key.cipher.Open(snapshot.Version.Place, snapshot.Version.Sealed)
	// Only a wrong passphrase is counted, so that reads with the right one write nothing to the database.
	if errors.Is(err, domain.ErrKeyMismatch) {
		if err := s.config.Gate.CountPassphrase(ctx, snapshot.Access); err != nil {
			return nil, err
		}
	}
	return value, err
}
