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

// DefaultParams are the parameters of Argon2id that OWASP's password storage cheat sheet names first: 19 MiB, two
// passes, one lane.
var DefaultParams = ports.Argon2Params{MemoryKiB: 19456, Time: 2, Threads: 1}

// ErrNotPrepared says that a cipher was asked for something that its preparation did not derive the key for: opening
// an envelope that was not given to it, or sealing after PrepareOpen or Clear. It is a mistake of the program.
var ErrNotPrepared = errors.New("the cipher was not prepared for this")

var errMoved = errors.New("a value can be bound to another version of the same key only, under the same client's key")

// EntryConfig is what an EntrySealer needs. Keys and Derive must be set.
type EntryConfig struct {
	Keys   *Keyring
	Derive ports.DeriveFunc
	// Params are today's parameters for passphrases; zero means DefaultParams.
	Params ports.Argon2Params
	// MaxStoredMemoryKiB is the most that parameters read from storage may ask for, in KiB; above it they count as
	// tampering. Zero means 262144 (256 MiB), which is also the most it can be. It must not be above what the pool
	// behind Derive can run, or such values would be refused one by one.
	MaxStoredMemoryKiB uint32
	// Random is crypto/rand.Reader unless a test needs the same bytes again.
	Random io.Reader
}

// EntrySealer seals and opens entries in format 1, which format.go describes. It implements ports.EntrySealer.
type EntrySealer struct{ config EntryConfig }

// NewEntrySealer makes a sealer. Errors: parameters that format 1 does not allow, or that the sealer would refuse when
// it reads them again.
func NewEntrySealer(config EntryConfig) (*EntrySealer, error) {
	if config.Keys == nil || config.Derive == nil {
		return nil, errors.New("an entry sealer needs keys and a derivation")
	}
	if config.Params == (ports.Argon2Params{}) {
		config.Params = DefaultParams
	}
	if config.MaxStoredMemoryKiB == 0 {
		config.MaxStoredMemoryKiB = mostStoredKiB
	}
	if config.Random == nil {
		config.Random = rand.Reader
	}
	if config.MaxStoredMemoryKiB > mostStoredKiB {
		return nil, fmt.Errorf("at most %d KiB can be allowed for stored parameters, not %d",
			mostStoredKiB, config.MaxStoredMemoryKiB)
	}
	today := derivation{kdf: kdfArgon2id, params: config.Params}
	if !today.wellFormed(config.MaxStoredMemoryKiB) {
		return nil, fmt.Errorf("m=%d KiB, t=%d, p=%d are not possible: 8p ≤ m ≤ %d, t ≤ %d, p ≤ %d, none of them 0",
			config.Params.MemoryKiB, config.Params.Time, config.Params.Threads,
			config.MaxStoredMemoryKiB, maxStoredTime, maxStoredThreads)
	}
	return &EntrySealer{config}, nil
}

// Prepare makes a cipher that seals into a box and opens the given envelopes. See ports.EntrySealer.
func (s *EntrySealer) Prepare(
	ctx context.Context, key domain.EncryptionKey, salt domain.BoxSalt, sealed ...ports.Sealed,
) (ports.EntryCipher, error) {
	var today derivation
	if !key.Generated() {
		today = derivation{kdf: kdfArgon2id, params: s.config.Params, salt: salt}
	}
	return s.prepare(ctx, key, &today, sealed)
}

// PrepareOpen makes a cipher that opens the given envelopes and seals nothing. See ports.EntrySealer.
func (s *EntrySealer) PrepareOpen(
	ctx context.Context, key domain.EncryptionKey, sealed ...ports.Sealed,
) (ports.EntryCipher, error) {
	return s.prepare(ctx, key, nil, sealed)
}

// prepare derives what today (nil: nothing) and the envelopes ask for. All envelopes are checked before the first
// derivation, so that one that was tampered with costs nothing.
func (s *EntrySealer) prepare(
	ctx context.Context, key domain.EncryptionKey, today *derivation, sealed []ports.Sealed,
) (ports.EntryCipher, error) {
	c := &entryCipher{sealer: s, generated: key.Generated(), today: today}
	var wanted []derivation
	if today != nil {
		wanted = append(wanted, *today)
	}
	for _, each := range sealed {
		b, err := s.openBlob(s.keyByID(ctx), each.Place, each.Envelope)
		if err != nil {
			return nil, err
		}
		if c.madeFor(&b) && !slices.Contains(wanted, b.derivation) {
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

// Rebind binds an envelope to another version of the row. See ports.EntrySealer. Errors: a tampering error; what the
// key ring returns for a key id that is not in memory.
func (s *EntrySealer) Rebind(
	ctx context.Context, from ports.Place, envelope []byte, to ports.Place,
) (domain.ServerKeyID, []byte, error) {
	if from.Box != to.Box || from.Key != to.Key || from.SealedAs != to.SealedAs {
		return domain.ServerKeyID{}, nil, errMoved
	}
	raw, err := s.openOuter(s.keyByID(ctx), from, envelope)
	if err != nil {
		return domain.ServerKeyID{}, nil, err
	}
	nonce := make([]byte, nonce24)
	if _, err := io.ReadFull(s.config.Random, nonce); err != nil {
		return domain.ServerKeyID{}, nil, fmt.Errorf("read randomness: %w", err)
	}
	return s.sealOuter(to, nonce, raw)
}

// Rewrap renews the outer layer under the current server key. See ports.EntrySealer; errors as of Rebind.
func (s *EntrySealer) Rewrap(
	ctx context.Context, at ports.Place, envelope []byte,
) (domain.ServerKeyID, []byte, error) {
	return s.Rebind(ctx, at, envelope, at)
}

// keyLookup finds the server key of an envelope.
type keyLookup func(domain.ServerKeyID) ([keyBytes]byte, error)

// keyByID looks in the database too, and so is not for use inside a transaction.
func (s *EntrySealer) keyByID(ctx context.Context) keyLookup {
	return func(id domain.ServerKeyID) ([keyBytes]byte, error) {
		return s.config.Keys.ByID(ctx, domain.KeyForEntries, id)
	}
}

// keyInMemory is for use inside a transaction, whose unit of work reloads the ring on ErrStaleServerKey.
func (s *EntrySealer) keyInMemory(id domain.ServerKeyID) ([keyBytes]byte, error) {
	key, known, err := s.config.Keys.inMemory(domain.KeyForEntries, id)
	if !known {
		return key, ports.ErrStaleServerKey
	}
	return key, err
}

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
