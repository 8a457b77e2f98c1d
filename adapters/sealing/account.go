package sealing

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// FORMAT of an account secret, such as a password hash (notation as in format.go):
//
//	aad    = part("lockbox/account") | part(purpose) | part(user id, 16 bytes)
//	stored = id16 | nonce24 | XChaCha20-Poly1305(account key id16, nonce24, plaintext, aad)
//
// nonce24 is random.

const (
	accountLabel   = "lockbox/account"
	accountMinimum = idLen + nonce24 + tagBytes
)

// AccountSealer seals password hashes and TOTP secrets under the server's account key. It implements
// ports.AccountSealer and is safe for concurrent use.
type AccountSealer struct {
	keys   *Keyring
	random io.Reader
}

// NewAccountSealer returns a sealer that reads nonces from the given reader. If the reader is nil, the source is
// crypto/rand.Reader.
func NewAccountSealer(keys *Keyring, random io.Reader) *AccountSealer {
	if random == nil {
		random = rand.Reader
	}
	return &AccountSealer{keys, random}
}

// SealAccount encrypts a secret of a user under the current account key. See ports.AccountSealer. It performs no I/O
// and fails only if the random source fails.
func (s *AccountSealer) SealAccount(
	_ context.Context, purpose string, user domain.UserID, plaintext []byte,
) (domain.ServerKeyID, []byte, error) {
	id, key := s.keys.Current(domain.KeyForAccounts)
	aead, err := newXChaCha(&key)
	if err != nil {
		return domain.ServerKeyID{}, nil, err
	}
	sealed := append(make([]byte, 0, accountMinimum+len(plaintext)), id[:]...)
	sealed = sealed[:idLen+nonce24]
	nonce := sealed[idLen:]
	if _, err := io.ReadFull(s.random, nonce); err != nil {
		return domain.ServerKeyID{}, nil, fmt.Errorf("read random bytes: %w", err)
	}
	return id, aead.Seal(sealed, nonce, plaintext, accountContext(purpose, user)), nil
}

// OpenAccount decrypts a result of SealAccount. See ports.AccountSealer. It returns a *ports.TamperedError if the data
// was changed, or was sealed for another purpose or user. If the server key is not in memory, OpenAccount reads the
// database and can return errors of Keyring.ByID.
func (s *AccountSealer) OpenAccount(
	ctx context.Context, purpose string, user domain.UserID, sealed []byte,
) ([]byte, error) {
	tampered := &ports.TamperedError{What: purpose}
	if len(sealed) < accountMinimum {
		return nil, tampered
	}
	key, err := s.keys.ByID(ctx, domain.KeyForAccounts, domain.ServerKeyID(sealed[:idLen]))
	switch {
	case errors.Is(err, ErrUnknownKey):
		return nil, tampered
	case err != nil:
		return nil, err
	}
	aead, err := newXChaCha(&key)
	if err != nil {
		return nil, err
	}
	nonce, ciphertext := sealed[idLen:idLen+nonce24], sealed[idLen+nonce24:]
	plaintext, err := aead.Open(nil, nonce, ciphertext, accountContext(purpose, user))
	if err != nil {
		return nil, tampered
	}
	return plaintext, nil
}

// accountContext returns the associated data of the format.
func accountContext(purpose string, user domain.UserID) []byte {
	return appendPart(appendPart(appendPart(nil, accountLabel), purpose), user[:])
}
