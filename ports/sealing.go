package ports

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
)

// Place is where a sealed value lives. All of it is authenticated, so that a value moved to another box, key or
// version no longer opens.
type Place struct {
	Box domain.BoxID
	Key domain.EntryKey
	// Version is the version of the row.
	Version uint64
	// SealedAs is the version the client's key sealed the value as. It differs from Version only after a restore,
	// which makes an old value the newest without having its key.
	SealedAs uint64
}

// SealedValue is a value as it is stored: Envelope holds the wrapped data key under the server's outer layer, Value
// the ciphertext.
type SealedValue struct {
	// ServerKey is the server key of the outer layer; it also stands in front of Envelope.
	ServerKey domain.ServerKeyID
	Envelope  []byte
	Value     []byte
}

// EntrySealer seals and opens values under keys that clients send.
type EntrySealer interface {
	// Prepare does the slow part: it derives from the client's key all that sealing into, and opening from, one box
	// needs. For a passphrase it derives once with today's parameters and the box's salt, and once more for each of
	// the given envelopes that was made with others. It blocks on the queue of derivations and must not be called
	// inside a transaction. Errors: Unavailable when the queue is full or ctx ends; a tampering error (see
	// IsTampered) when an envelope does not open under the server's key.
	Prepare(ctx context.Context, key domain.EncryptionKey, salt domain.BoxSalt, sealed ...Sealed) (EntryCipher, error)

	// PrepareOpen is Prepare for reading: it derives for the given envelopes alone, so that one that was made with
	// other parameters than today's costs one derivation and not two. What it returns does not Seal.
	PrepareOpen(ctx context.Context, key domain.EncryptionKey, sealed ...Sealed) (EntryCipher, error)

	// Rebind re-wraps the outer layer of a sealed value for another version of the same key of the same box,
	// under the current server key, without the client's key. It serves restore.
	Rebind(ctx context.Context, from Place, envelope []byte, to Place) (domain.ServerKeyID, []byte, error)

	// Rewrap re-wraps the outer layer in place under the current server key. It serves rekey.
	Rewrap(ctx context.Context, at Place, envelope []byte) (domain.ServerKeyID, []byte, error)
}

// Sealed is an envelope and the place it was made for.
type Sealed struct {
	Place    Place
	Envelope []byte
}

// EntryCipher is a client's key made ready for one box. Its methods take microseconds and may run in a transaction.
type EntryCipher interface {
	// Seal encrypts value for its place with a fresh data key. place.SealedAs must equal place.Version.
	Seal(place Place, value []byte) (SealedValue, error)
	// Open returns the value. Errors: Forbidden with code encryption_key_mismatch when the value was sealed under
	// another key; a tampering error (see IsTampered) when the key is right and the ciphertext is not.
	Open(place Place, sealed SealedValue) ([]byte, error)
	// Fits reports whether the envelope was sealed under this key, without opening the value. An envelope whose
	// derivation parameters were not prepared does not fit.
	Fits(at Sealed) bool
	// Clear overwrites the derived keys.
	Clear()
}

// AccountSealer keeps what the server itself must keep secret of a user: password hashes, code secrets. The purpose
// ("password", …) and the user are authenticated, so that a sealed hash moved to another user no longer opens.
type AccountSealer interface {
	// SealAccount encrypts under the current account key. It takes microseconds.
	SealAccount(ctx context.Context, purpose string, user domain.UserID, plaintext []byte) (domain.ServerKeyID, []byte,
		error)
	// OpenAccount decrypts what SealAccount made; a tampering error (see IsTampered) when it does not open.
	OpenAccount(ctx context.Context, purpose string, user domain.UserID, sealed []byte) ([]byte, error)
}
