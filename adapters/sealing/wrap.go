package sealing

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"io"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/lockbox-go/lockbox/domain"
)

// FORMAT of a wrapped server key (notation as in format.go):
//
//	wrapping key = HKDF-SHA256(ikm = secret, salt = none, info = "lockbox/v1/wrap", 32 bytes)      RFC 5869
//	wrapped      = nonce24 | XChaCha20-Poly1305(wrapping key, nonce24, key32, aad = id16 | purpose)
//
// secret is the decoded bytes; nonce24 is random; id16 the raw bytes of the key's id and purpose its ASCII text, which
// ends the aad and so needs no length. wrapped has 72 bytes. XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03) is used
// wherever one server key seals many things: its nonces are long enough to be drawn at random without counting.

const (
	wrapInfo   = "lockbox/v1/wrap"
	keyBytes   = 32
	nonce24    = chacha20poly1305.NonceSizeX
	tagBytes   = chacha20poly1305.Overhead
	wrappedLen = nonce24 + keyBytes + tagBytes
)

// wrapper wraps and unwraps server keys under one secret.
type wrapper struct{ aead cipher.AEAD }

func newWrapper(secret Secret) (wrapper, error) {
	key, err := hkdf.Key(sha256.New, secret.Bytes(), nil, wrapInfo, keyBytes)
	if err != nil {
		return wrapper{}, fmt.Errorf("derive the wrapping key: %w", err)
	}
	defer clear(key)
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return wrapper{}, fmt.Errorf("make the wrapping cipher: %w", err)
	}
	return wrapper{aead}, nil
}

func (w wrapper) wrap(random io.Reader, id domain.ServerKeyID, purpose domain.KeyPurpose, key []byte) ([]byte, error) {
	wrapped := make([]byte, nonce24, wrappedLen)
	if _, err := io.ReadFull(random, wrapped); err != nil {
		return nil, fmt.Errorf("read randomness: %w", err)
	}
	return w.aead.Seal(wrapped, wrapped, key, wrapContext(id, purpose)), nil
}

// unwrap reports false when wrapped was not made under this secret for this id and purpose.
func (w wrapper) unwrap(id domain.ServerKeyID, purpose domain.KeyPurpose, wrapped []byte) (key [keyBytes]byte,
	ok bool) {
	if w.aead == nil || len(wrapped) != wrappedLen {
		return key, false
	}
	_, err := w.aead.Open(key[:0], wrapped[:nonce24], wrapped[nonce24:], wrapContext(id, purpose))
	return key, err == nil
}

func wrapContext(id domain.ServerKeyID, purpose domain.KeyPurpose) []byte {
	return append(id[:], purpose...)
}
