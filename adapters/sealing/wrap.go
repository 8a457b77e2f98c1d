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
// secret is the decoded secret; nonce24 is random; id16 is the key's id as raw bytes. purpose is ASCII text; it is the
// last part of the aad, so it needs no length prefix. wrapped has 72 bytes. Lockbox uses XChaCha20-Poly1305
// (draft-irtf-cfrg-xchacha-03) for every key that seals many messages. The nonces of this cipher are so long that
// random nonces do not repeat in practice.

const (
	wrapInfo   = "lockbox/v1/wrap"
	keyBytes   = 32
	nonce24    = chacha20poly1305.NonceSizeX
	tagBytes   = chacha20poly1305.Overhead
	wrappedLen = nonce24 + keyBytes + tagBytes
)

// wrapper wraps and unwraps server keys under one secret.
type wrapper struct{ aead cipher.AEAD }

// newWrapper derives the wrapping key from a secret. The zero wrapper unwraps nothing.
func newWrapper(secret Secret) (wrapper, error) {
	key, err := hkdf.Key(sha256.New, secret.Bytes(), nil, wrapInfo, keyBytes)
	if err != nil {
		return wrapper{}, fmt.Errorf("derive the wrapping key: %w", err)
	}
	defer clear(key)
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return wrapper{}, fmt.Errorf("create the wrapping cipher: %w", err)
	}
	return wrapper{aead}, nil
}

// wrap encrypts a server key and binds it to its id and purpose.
func (w wrapper) wrap(random io.Reader, id domain.ServerKeyID, purpose domain.KeyPurpose, key []byte) ([]byte, error) {
	wrapped := make([]byte, nonce24, wrappedLen)
	if _, err := io.ReadFull(random, wrapped); err != nil {
		return nil, fmt.Errorf("read random bytes: %w", err)
	}
	return w.aead.Seal(wrapped, wrapped, key, wrapContext(id, purpose)), nil
}

// unwrap decrypts a server key. The second result is false if the bytes were wrapped with another secret, or for
// another id or purpose.
func (w wrapper) unwrap(id domain.ServerKeyID, purpose domain.KeyPurpose, wrapped []byte) (key [keyBytes]byte,
	ok bool) {
	if w.aead == nil || len(wrapped) != wrappedLen {
		return key, false
	}
	_, err := w.aead.Open(key[:0], wrapped[:nonce24], wrapped[nonce24:], wrapContext(id, purpose))
	return key, err == nil
}

// wrapContext returns the associated data of a wrapped server key: the id and the purpose of the key.
func wrapContext(id domain.ServerKeyID, purpose domain.KeyPurpose) []byte {
	return append(id[:], purpose...)
}
