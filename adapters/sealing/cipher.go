package sealing

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// entryCipher is a client's key made ready. It implements ports.EntryCipher and is for one goroutine at a time.
type entryCipher struct {
	sealer    *EntrySealer
	generated bool
	// today is what Seal uses; nil when the cipher was made for opening alone.
	today   *derivation
	derived []derived
}

// derived is the input for HKDF that one derivation gave.
type derived struct {
	from derivation
	ikm  [keyBytes]byte
}

var errVersions = errors.New("a fresh value is sealed as the version of its row")

func (c *entryCipher) derive(ctx context.Context, key domain.EncryptionKey, from derivation) error {
	ikm := key.Bytes()
	if from.kdf == kdfArgon2id {
		var err error
		ikm, err = c.sealer.config.Derive(ctx, ports.EntryWork, key.Bytes(), from.salt[:], from.params)
		if err != nil {
			return err
		}
		defer clear(ikm)
	}
	if len(ikm) != keyBytes {
		return fmt.Errorf("the derivation gave %d bytes, not %d", len(ikm), keyBytes)
	}
	c.derived = append(c.derived, derived{from, [keyBytes]byte(ikm)})
	return nil
}

// madeFor reports whether the blob was sealed under a key of this kind.
func (c *entryCipher) madeFor(b *blob) bool { return c.generated == (b.kdf == kdfGenerated) }

func (c *entryCipher) find(from derivation) *[keyBytes]byte {
	for i := range c.derived {
		if c.derived[i].from == from {
			return &c.derived[i].ikm
		}
	}
	return nil
}

// freshness is the random bytes of one version.
type freshness struct {
	dek                   [keyBytes]byte
	salt32                [saltLen]byte
	blobNonce, valueNonce [nonce12]byte
	outerNonce            [nonce24]byte
}

func (f *freshness) read(random io.Reader) error {
	for _, part := range [][]byte{f.dek[:], f.salt32[:], f.blobNonce[:], f.valueNonce[:], f.outerNonce[:]} {
		if _, err := io.ReadFull(random, part); err != nil {
			return fmt.Errorf("read randomness: %w", err)
		}
	}
	return nil
}

// Seal encrypts a value for its place. See ports.EntryCipher. Errors: ErrNotPrepared.
func (c *entryCipher) Seal(place ports.Place, value []byte) (ports.SealedValue, error) {
	if place.SealedAs != place.Version {
		return ports.SealedValue{}, errVersions
	}
	if c.today == nil || c.find(*c.today) == nil {
		return ports.SealedValue{}, ErrNotPrepared
	}
	var fresh freshness
	defer clear(fresh.dek[:])
	if err := fresh.read(c.sealer.config.Random); err != nil {
		return ports.SealedValue{}, err
	}
	raw, err := c.sealBlob(place, &fresh)
	if err != nil {
		return ports.SealedValue{}, err
	}
	var sealed ports.SealedValue
	if sealed.ServerKey, sealed.Envelope, err = c.sealer.sealOuter(place, fresh.outerNonce[:], raw); err != nil {
		return ports.SealedValue{}, err
	}
	gcm, err := newGCM(fresh.dek[:])
	if err != nil {
		return ports.SealedValue{}, err
	}
	text := append(make([]byte, 0, minValueLen+len(value)), fresh.valueNonce[:]...)
	sealed.Value = gcm.Seal(text, fresh.valueNonce[:], value, valueContext(place))
	return sealed, nil
}

func (c *entryCipher) sealBlob(place ports.Place, fresh *freshness) ([]byte, error) {
	b := blob{header: header{derivation: *c.today, salt32: fresh.salt32}}
	kek, commit, err := expand(c.find(*c.today), &b.salt32)
	if err != nil {
		return nil, err
	}
	defer clear(kek)
	gcm, err := newGCM(kek)
	if err != nil {
		return nil, err
	}
	copy(b.commit[:], commit)
	copy(b.wrapped[:], fresh.blobNonce[:])
	gcm.Seal(b.wrapped[:nonce12], fresh.blobNonce[:], fresh.dek[:], blobContext(place, &b))
	return b.append(make([]byte, 0, blobLen)), nil
}

// Open returns the value. See ports.EntryCipher. Errors besides those there: ErrNotPrepared, and
// ports.ErrStaleServerKey when the envelope's server key is not in memory.
func (c *entryCipher) Open(place ports.Place, sealed ports.SealedValue) ([]byte, error) {
	b, err := c.sealer.openBlob(c.sealer.keyInMemory, place, sealed.Envelope)
	if err != nil {
		return nil, err
	}
	if sealed.ServerKey != domain.ServerKeyID(sealed.Envelope[:idLen]) {
		return nil, tamperedEnvelope()
	}
	kek, err := c.unlock(&b)
	if err != nil {
		return nil, err
	}
	defer clear(kek)
	dek, err := openGCM(kek, b.wrapped[:], blobContext(place, &b))
	if err != nil {
		return nil, tamperedEnvelope()
	}
	defer clear(dek)
	value, err := openGCM(dek, sealed.Value, valueContext(place))
	if err != nil {
		return nil, &ports.TamperedError{What: "entry value"}
	}
	return value, nil
}

// unlock returns the key-encrypting key of a blob. The commitment decides, before anything is opened, whether the
// client's key is the one that it was sealed under.
func (c *entryCipher) unlock(b *blob) ([]byte, error) {
	if !c.madeFor(b) {
		return nil, domain.ErrKeyMismatch
	}
	ikm := c.find(b.derivation)
	if ikm == nil {
		return nil, ErrNotPrepared
	}
	kek, commit, err := expand(ikm, &b.salt32)
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare(commit, b.commit[:]) != 1 {
		clear(kek)
		return nil, domain.ErrKeyMismatch
	}
	return kek, nil
}

// openGCM opens a nonce12 with its ciphertext.
func openGCM(key, sealed, aad []byte) ([]byte, error) {
	if len(sealed) < minValueLen {
		return nil, io.ErrUnexpectedEOF
	}
	gcm, err := newGCM(key)
	if err != nil {
		return nil, err
	}
	return gcm.Open(nil, sealed[:nonce12], sealed[nonce12:], aad)
}

// Fits reports whether an envelope was sealed under this key. See ports.EntryCipher.
func (c *entryCipher) Fits(at ports.Sealed) bool {
	b, err := c.sealer.openBlob(c.sealer.keyInMemory, at.Place, at.Envelope)
	if err != nil {
		return false
	}
	kek, err := c.unlock(&b)
	clear(kek)
	return err == nil
}

// Clear overwrites the derived keys and forgets them, so that a use after it fails instead of using zeros.
func (c *entryCipher) Clear() {
	clear(c.derived)
	c.derived = nil
}

// Format keeps the derived keys out of whatever prints the cipher.
func (c *entryCipher) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[entry cipher]") }
