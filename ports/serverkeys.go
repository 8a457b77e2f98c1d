package ports

import (
	"context"
	"errors"
	"time"

	"github.com/lockbox-go/lockbox/domain"
)

// ServerKey is one key of the server's key ring, wrapped under the master secret.
type ServerKey struct {
	ID         domain.ServerKeyID
	Purpose    domain.KeyPurpose
	Generation int
	// Wrapped is a nonce of 24 bytes, followed by the encrypted key. The key is 32 random bytes. XChaCha20-Poly1305
	// encrypts it under a key that is derived from the secret.
	Wrapped   []byte
	CreatedAt time.Time
	// RetiredAt is when the key was retired. It is zero while the key is in use. A retired key must not be used to seal
	// a value or to sign a token.
	RetiredAt time.Time
}

// ServerKeys stores the key ring.
type ServerKeys interface {
	// List returns all keys, sorted by purpose and generation. Inside a transaction, List locks the keys against
	// concurrent changes.
	List(ctx context.Context) ([]ServerKey, error)
	// Add inserts keys. It skips a key if another key with the same purpose and generation is stored. Many replicas may
	// therefore start at the same time. The caller must call List again to find out which keys were stored.
	Add(ctx context.Context, keys []ServerKey) error
	// Rewrap replaces the wrapped bytes of keys. It must run in the same transaction as the call of List that returned
	// the keys.
	Rewrap(ctx context.Context, keys []ServerKey) error
	// Retire marks a key as retired, with the given time as the time of its retirement.
	Retire(ctx context.Context, id domain.ServerKeyID, at time.Time) error
	// DeleteRetired deletes a retired key. Rows that are still sealed or signed under the key become useless. The
	// argument "left" is the number of these rows that the caller could not decrypt and agrees to lose. Errors:
	// ErrServerKeyInUse when the number of rows under the key is higher than left. The additional rows were written
	// after the caller counted the rows.
	DeleteRetired(ctx context.Context, id domain.ServerKeyID, left int) error
}

// ErrStaleServerKey means that a value was sealed or a token was signed under a server key that is now retired. The key
// ring in memory is outdated. The unit of work reloads the key ring and runs its function again.
var ErrStaleServerKey = errors.New("the server key is retired or not in memory: the key ring must be reloaded")

// ErrServerKeyInUse means that a server key cannot be deleted, because rows are still sealed or signed under it.
var ErrServerKeyInUse = errors.New("rows are still sealed under the old server key")

// TamperedError means that the authentication of a stored value has failed. The value is damaged, or was changed or
// moved without Lockbox.
type TamperedError struct {
	// The field What contains the kind of the value, such as "entry envelope", "entry value" or "password". It never
	// contains a part of the value itself.
	What string
}

// Error names the value that was tampered with.
func (e *TamperedError) Error() string { return "tampered: " + e.What + " does not authenticate" }

// IsTampered reports whether err contains a TamperedError. If it does, the response is a 500 with a fixed text, and the
// audit event of the request has the outcome "tampered". Operators should alert on this outcome.
func IsTampered(err error) bool {
	_, ok := errors.AsType[*TamperedError](err)
	return ok
}
