package sealing

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// DefaultParams are the first recommendation of the OWASP Password Storage Cheat Sheet for Argon2id: 19 MiB, two
// passes, one lane.
var DefaultParams = ports.Argon2Params{MemoryKiB: 19456, Time: 2, Threads: 1}

// ErrNotPrepared means that a cipher lacks the key for an operation. The caller made one of three mistakes. It opened
// an envelope that it had passed neither to Prepare nor to Extend, it sealed a value with a cipher from PrepareOpen, or
// it used a cipher after Clear. This is a programming error.
var ErrNotPrepared = errors.New("the cipher was not prepared for this operation")

var errRebind = errors.New("an envelope can be rebound only to another version of the same entry")

// EntryConfig configures an EntrySealer. Keys and Derive are required.
type EntryConfig struct {
	Keys *Keyring
	// Derive computes Argon2id. In production, it is a method of kdf.Pool.
	Derive ports.DeriveFunc
	// Params are the Argon2id parameters for values that Seal encrypts under a passphrase. Zero means DefaultParams.
	Params ports.Argon2Params
	// MaxStoredMemoryKiB is the maximum memory that stored parameters may require, in KiB. Larger values count as
	// tampering. Zero means 262144 (256 MiB), which is also the upper limit. The value must not exceed the memory that
	// Derive can use, because an entry that requires more memory could not be opened.
	MaxStoredMemoryKiB uint32
	// Random is the source of keys, salts and nonces; nil means crypto/rand.Reader.
	Random io.Reader
}

// EntrySealer seals and opens entries in format 1, which format.go specifies. It implements ports.EntrySealer and is
// safe for concurrent use.
type EntrySealer struct{ config EntryConfig }

// NewEntrySealer returns a sealer. It fails for parameters that format 1 does not allow, and for parameters that exceed
// config.MaxStoredMemoryKiB.
func NewEntrySealer(config EntryConfig) (*EntrySealer, error) {
	if config.Keys == nil || config.Derive == nil {
		return nil, errors.New("sealing: Keys and Derive must be set")
	}
	if config.Params == (ports.Argon2Params{}) {
		config.Params = DefaultParams
	}
	if config.MaxStoredMemoryKiB == 0 {
		config.MaxStoredMemoryKiB = maxStoredKiB
	}
	if config.Random == nil {
		config.Random = rand.Reader
	}
	if config.MaxStoredMemoryKiB > maxStoredKiB {
		return nil, fmt.Errorf("the memory limit for stored parameters must be at most %d KiB, but it is %d KiB",
			maxStoredKiB, config.MaxStoredMemoryKiB)
	}
	current := derivation{kdf: kdfArgon2id, params: config.Params}
	if !current.wellFormed(config.MaxStoredMemoryKiB) {
		return nil, fmt.Errorf("Argon2id parameters m=%d KiB, t=%d, p=%d are invalid: "+
			"they must satisfy 8p ≤ m ≤ %d, 1 ≤ t ≤ %d, 1 ≤ p ≤ %d",
			config.Params.MemoryKiB, config.Params.Time, config.Params.Threads,
			config.MaxStoredMemoryKiB, maxStoredTime, maxStoredThreads)
	}
	return &EntrySealer{config}, nil
}

// Prepare returns a cipher that seals values of a box and opens the given envelopes. See ports.EntrySealer. Do not call
// Prepare inside a transaction, because it performs key derivations and can read server keys from the database.
func (s *EntrySealer) Prepare(
	ctx context.Context, key domain.EncryptionKey, salt domain.BoxSalt, sealed ...ports.Sealed,
) (ports.EntryCipher, error) {
	var current derivation
	if !key.Generated() {
		current = derivation{kdf: kdfArgon2id, params: s.config.Params, salt: salt}
	}
	return s.prepare(ctx, key, &current, sealed)
}

// PrepareOpen is like Prepare but returns a cipher that can only open.
func (s *EntrySealer) PrepareOpen(
	ctx context.Context, key domain.EncryptionKey, sealed ...ports.Sealed,
) (ports.EntryCipher, error) {
	return s.prepare(ctx, key, nil, sealed)
}

// prepare performs the derivations that current and the envelopes require, and returns a cipher with the results. The
// argument current is the derivation for sealing, or nil if the cipher only opens. prepare performs equal derivations
// only once. It authenticates all envelopes before the first key derivation, so a manipulated envelope cannot cause
// expensive work.
func (s *EntrySealer) prepare(
	ctx context.Context, key domain.EncryptionKey, current *derivation, sealed []ports.Sealed,
) (ports.EntryCipher, error) {
	c := &entryCipher{sealer: s, generated: key.Generated(), current: current}
	var wanted []derivation
	if current != nil {
		wanted = append(wanted, *current)
	}
	for _, each := range sealed {
		b, err := s.openBlob(s.keyByID(ctx), each.Place, each.Envelope)
		if err != nil {
			return nil, err
		}
		if c.sameKind(&b) && !slices.Contains(wanted, b.derivation) {
			wanted = append(wanted, b.derivation)
		}
	}
	c.derived = make([]derived, 0, len(wanted))
	for _, from := range wanted {
		if err := c.derive(ctx, key, from); err != nil {
			c.Clear()
			return nil, err
		}
	}
	return c, nil
}

// Rebind binds an envelope to another version of its entry. See ports.EntrySealer. It needs no client key, because only
// the outer layer changes. Rebind returns a *ports.TamperedError if the envelope was changed or was sealed for another
// place. If the server key is not in memory, Rebind reads the database and can return errors of Keyring.ByID.
func (s *EntrySealer) Rebind(
	ctx context.Context, from ports.Place, envelope []byte, to ports.Place,
) (domain.ServerKeyID, []byte, error) {
	if from.Box != to.Box || from.Key != to.Key || from.SealedAs != to.SealedAs {
		return domain.ServerKeyID{}, nil, errRebind
	}
	raw, err := s.openOuter(s.keyByID(ctx), from, envelope)
	if err != nil {
		return domain.ServerKeyID{}, nil, err
	}
	nonce := make([]byte, nonce24)
	if _, err := io.ReadFull(s.config.Random, nonce); err != nil {
		return domain.ServerKeyID{}, nil, fmt.Errorf("read random bytes: %w", err)
	}
	return s.sealOuter(to, nonce, raw)
}

// Rewrap encrypts the outer layer again under the current server key. See ports.EntrySealer. It returns the errors of
// Rebind.
func (s *EntrySealer) Rewrap(
	ctx context.Context, at ports.Place, envelope []byte,
) (domain.ServerKeyID, []byte, error) {
	return s.Rebind(ctx, at, envelope, at)
}

// CheckOuter opens the outer layer and discards the result. See ports.EntrySealer. It returns the errors of Rebind.
func (s *EntrySealer) CheckOuter(
	ctx context.Context, at ports.Place, serverKey domain.ServerKeyID, envelope []byte,
) error {
	if _, err := s.openBlob(s.keyByID(ctx), at, envelope); err != nil {
		return err
	}
	if serverKey != domain.ServerKeyID(envelope[:idLen]) {
		return tamperedEnvelope()
	}
	return nil
}

// keyLookup returns the server key of an envelope.
type keyLookup func(domain.ServerKeyID) ([keyBytes]byte, error)

// keyByID reads the database if a key is not in memory. It must not be used inside a transaction.
func (s *EntrySealer) keyByID(ctx context.Context) keyLookup {
	return func(id domain.ServerKeyID) ([keyBytes]byte, error) {
		return s.config.Keys.ByID(ctx, domain.KeyForEntries, id)
	}
}

// keyInMemory performs no I/O, so it can be used inside a transaction. If the key is not in memory, it returns
// ports.ErrStaleServerKey. The unit of work then reloads the key ring and repeats the transaction.
func (s *EntrySealer) keyInMemory(id domain.ServerKeyID) ([keyBytes]byte, error) {
	key, known, err := s.config.Keys.inMemory(domain.KeyForEntries, id)
	if !known {
		return key, ports.ErrStaleServerKey
	}
	return key, err
}

// openBlob decrypts and parses the outer layer of an envelope.
func (s *EntrySealer) openBlob(find keyLookup, at ports.Place, envelope []byte) (blob, error) {
	raw, err := s.openOuter(find, at, envelope)
	if err != nil {
		return blob{}, err
	}
	b, ok := parseBlob(raw, s.config.MaxStoredMemoryKiB)
	if !ok {
		return blob{}, tamperedEnvelope()
	}
	return b, nil
}

// openOuter decrypts the outer layer. An unknown server key counts as tampering, because a rekey deletes a key only
// after it has sealed all envelopes under the new key.
func (s *EntrySealer) openOuter(find keyLookup, at ports.Place, envelope []byte) ([]byte, error) {
	if len(envelope) != envelopeLen {
		return nil, tamperedEnvelope()
	}
	id := domain.ServerKeyID(envelope[:idLen])
	key, err := find(id)
	switch {
	case errors.Is(err, ErrUnknownKey):
		return nil, tamperedEnvelope()
	case err != nil:
		return nil, err
	}
	aead, err := newXChaCha(&key)
	if err != nil {
		return nil, err
	}
	nonce, ciphertext := envelope[idLen:idLen+nonce24], envelope[idLen+nonce24:]
	raw, err := aead.Open(nil, nonce, ciphertext, outerContext(id, at))
	if err != nil {
		return nil, tamperedEnvelope()
	}
	return raw, nil
}

// sealOuter encrypts blob152 under the current server key and returns the id of that key and the envelope.
func (s *EntrySealer) sealOuter(at ports.Place, nonce, raw []byte) (domain.ServerKeyID, []byte, error) {
	id, key := s.config.Keys.Current(domain.KeyForEntries)
	aead, err := newXChaCha(&key)
	if err != nil {
		return domain.ServerKeyID{}, nil, err
	}
	envelope := append(make([]byte, 0, envelopeLen), id[:]...)
	envelope = append(envelope, nonce...)
	return id, aead.Seal(envelope, nonce, raw, outerContext(id, at)), nil
}

func tamperedEnvelope() error { return &ports.TamperedError{What: "entry envelope"} }
