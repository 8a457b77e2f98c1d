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

// entryCipher holds the keys that were derived from a client's encryption key. It implements ports.EntryCipher and is
// not safe for concurrent use.
type entryCipher struct {
	sealer    *EntrySealer
	generated bool // the client's key is a generated key, not a passphrase
	// current is the derivation that Seal uses, or nil if the cipher can only open.
	current *derivation
	derived []derived
}

// derived is the output of one derivation. It is the input key material of HKDF.
type derived struct {
	from derivation
	ikm  [keyBytes]byte
}

var errVersions = errors.New("for a new value, SealedAs must equal Version")

// derive adds the key material for one derivation. For a passphrase, it runs Argon2id. A generated key needs no
// computation.
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
		return fmt.Errorf("the key derivation returned %d bytes instead of %d", len(ikm), keyBytes)
	}
	c.derived = append(c.derived, derived{from, [keyBytes]byte(ikm)})
	return nil
}

// sameKind reports whether the key of the blob and the key of the client are of the same kind. A key is either a
// generated key or a passphrase.
func (c *entryCipher) sameKind(b *blob) bool { return c.generated == (b.kdf == kdfGenerated) }

// find returns the key material for a derivation, or nil if the cipher has not derived it.
func (c *entryCipher) find(from derivation) *[keyBytes]byte {
	for i := range c.derived {
		if c.derived[i].from == from {
			return &c.derived[i].ikm
		}
	}
	return nil
}

// randomParts are the random bytes of one version. They are never reused.
type randomParts struct {
	dek                   [keyBytes]byte // data encryption key
	salt32                [saltLen]byte
	blobNonce, valueNonce [nonce12]byte
	outerNonce            [nonce24]byte
}

func (f *randomParts) read(random io.Reader) error {
	for _, part := range [][]byte{f.dek[:], f.salt32[:], f.blobNonce[:], f.valueNonce[:], f.outerNonce[:]} {
		if _, err := io.ReadFull(random, part); err != nil {
			return fmt.Errorf("read random bytes: %w", err)
		}
	}
	return nil
}

// Seal encrypts a value and binds it to a place: a box, an entry key and a version. See ports.EntryCipher. It returns
// ErrNotPrepared after Clear and for a cipher from PrepareOpen. It returns an error if the fields SealedAs and Version
// of the place differ.
func (c *entryCipher) Seal(place ports.Place, value []byte) (ports.SealedValue, error) {
	if place.SealedAs != place.Version {
		return ports.SealedValue{}, errVersions
	}
	if c.current == nil || c.find(*c.current) == nil {
		return ports.SealedValue{}, ErrNotPrepared
	}
	var fresh randomParts
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

// sealBlob wraps the data encryption key under the client's key and returns blob152 of the format.
func (c *entryCipher) sealBlob(place ports.Place, fresh *randomParts) ([]byte, error) {
	b := blob{header: header{derivation: *c.current, salt32: fresh.salt32}}
	kek, commit, err := expand(c.find(*c.current), &b.salt32)
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

// Open decrypts a value. It returns the errors that ports.EntryCipher lists. If the envelope was passed neither to
// Prepare nor to Extend, Open can also return ErrNotPrepared.
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

// unlock returns the key-encrypting key of a blob. It checks the commitment before any decryption. It returns
// domain.ErrKeyMismatch if the blob was not sealed under the client's key.
func (c *entryCipher) unlock(b *blob) ([]byte, error) {
	if !c.sameKind(b) {
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

// openGCM decrypts a nonce12 followed by its ciphertext.
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

// Fits reports whether an envelope was sealed under the client's key. See ports.EntryCipher. It decrypts no value.
func (c *entryCipher) Fits(at ports.Sealed) bool {
	b, err := c.sealer.openBlob(c.sealer.keyInMemory, at.Place, at.Envelope)
	if err != nil {
		return false
	}
	kek, err := c.unlock(&b)
	clear(kek)
	return err == nil
}

// Clear erases the derived keys. After Clear, Seal and Open return ErrNotPrepared instead of using zeros as a key.
func (c *entryCipher) Clear() {
	clear(c.derived)
	c.derived = nil
}

// Format implements fmt.Formatter. It prints a placeholder instead of the derived keys.
func (c *entryCipher) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[entry cipher]") }
