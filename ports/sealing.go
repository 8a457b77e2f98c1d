package ports

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
)

// Place is the location of a sealed value. All fields are authenticated: a value that was moved to another box, key or
// version cannot be decrypted.
type Place struct {
	Box domain.BoxID
	Key domain.EntryKey
	// Version is the version of the row.
	Version uint64
	// SealedAs is the version under which the client's key sealed the value. After a restore, it differs from Version,
	// because a restore turns an old value into the newest version without the client's key.
	SealedAs uint64
}

// SealedValue is a value as it is stored. Envelope contains the data key, which is wrapped under the client's key and
// then again under a server key. Value is the ciphertext.
type SealedValue struct {
	// ServerKey is the server key that wraps Envelope. Envelope begins with the identifier of this key.
	ServerKey domain.ServerKeyID
	Envelope  []byte
	Value     []byte
}

// EntrySealer seals and opens values under keys that clients send. It is safe for concurrent use. Tests of use cases
// replace it with a sealer that fails on purpose.
type EntrySealer interface {
	// Prepare derives a cipher from the client's key. The cipher seals values for one box and opens the given
	// envelopes. For a passphrase, Prepare runs one key derivation with the current parameters and the box's salt. If
	// some envelopes have other parameters, Prepare runs one more key derivation for each set of these parameters. It
	// blocks on the queue of key derivations and must not run inside a transaction. Errors: Unavailable when the queue
	// is full or ctx ends; a TamperedError when an envelope cannot be decrypted with its server key.
	Prepare(ctx context.Context, key domain.EncryptionKey, salt domain.BoxSalt, sealed ...Sealed) (EntryCipher, error)

	// PrepareOpen is like Prepare, but only for reading. It derives only the keys of the envelopes, and the cipher that
	// it returns cannot seal values.
	PrepareOpen(ctx context.Context, key domain.EncryptionKey, sealed ...Sealed) (EntryCipher, error)

	// Rebind moves a sealed value to another version of the same entry. It wraps the envelope again under the current
	// server key, and does not need the client's key. Restore uses it. Errors: a TamperedError when the envelope cannot
	// be decrypted with its server key.
	Rebind(ctx context.Context, from Place, envelope []byte, to Place) (domain.ServerKeyID, []byte, error)

	// Rewrap wraps an envelope again under the current server key, for the same place. Rekey uses it. Errors: those of
	// Rebind.
	Rewrap(ctx context.Context, at Place, envelope []byte) (domain.ServerKeyID, []byte, error)

	// CheckOuter opens the outer layer of an envelope and discards the result. The outer layer is under a server key,
	// so CheckOuter needs no client key. The serverKey argument is the identifier that is stored with the envelope.
	// Errors: a TamperedError when the envelope names a different server key, or when it cannot be decrypted with that
	// key for this place.
	CheckOuter(ctx context.Context, at Place, serverKey domain.ServerKeyID, envelope []byte) error
}

// Sealed is an envelope and the place that it was sealed for.
type Sealed struct {
	Place    Place
	Envelope []byte
}

// EntryCipher is a client's key, prepared for one box. It is not safe for concurrent use. Except for Extend, its
// methods take microseconds and may run inside a transaction.
type EntryCipher interface {
	// Extend prepares the cipher to open the given envelopes too. It derives only keys that the cipher does not have.
	// The argument "key" must be the client's key with which the cipher was prepared. Like EntrySealer.Prepare, Extend
	// waits in the queue of key derivations, and it returns the same errors.
	Extend(ctx context.Context, key domain.EncryptionKey, sealed ...Sealed) error
	// Seal encrypts value for its place with a new data key. place.SealedAs must equal place.Version.
	Seal(place Place, value []byte) (SealedValue, error)
	// Open returns the value. Errors:
	//
	//   - Forbidden with code encryption_key_mismatch when the value was sealed under another key.
	//   - A TamperedError when the key is right but the ciphertext was damaged or tampered with.
	//   - ErrStaleServerKey when the envelope's server key is not in memory.
	Open(place Place, sealed SealedValue) ([]byte, error)
	// Fits reports whether the envelope was sealed under the cipher's key. It does not open the value. It returns false
	// if the cipher has no key that was derived with the parameters of the envelope.
	Fits(at Sealed) bool
	// Clear overwrites the derived keys. After Clear, the cipher can neither seal nor open a value.
	Clear()
}

// AccountSealer encrypts secrets of users that the server itself must read: password hashes, TOTP secrets and locked
// identities. The purpose and the user are authenticated: a sealed hash that was moved to another user cannot be
// decrypted.
type AccountSealer interface {
	// SealAccount encrypts under the current account key. It takes microseconds and may run inside a transaction.
	SealAccount(ctx context.Context, purpose string, user domain.UserID, plaintext []byte) (domain.ServerKeyID, []byte,
		error)
	// OpenAccount decrypts the result of SealAccount. Errors: a TamperedError when the ciphertext was damaged or
	// tampered with.
	OpenAccount(ctx context.Context, purpose string, user domain.UserID, sealed []byte) ([]byte, error)
}
