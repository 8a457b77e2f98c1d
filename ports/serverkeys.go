package ports

import (
	"context"
	"errors"
	"time"

	"github.com/lockbox-go/lockbox/domain"
)

// ServerKey is one line of the server's key ring, still wrapped under the secret.
type ServerKey struct {
	ID         domain.ServerKeyID
	Purpose    domain.KeyPurpose
	Generation int
	// Wrapped is nonce24 followed by XChaCha20-Poly1305 of the 32 random bytes, under a key made from the secret.
	Wrapped   []byte
	CreatedAt time.Time
	// RetiredAt is set when the key must not be used for anything new; zero while it is in use.
	RetiredAt time.Time
}

// ServerKeys stores the key ring.
type ServerKeys interface {
	// List returns all keys, by purpose and generation. In a transaction it also keeps others from changing them.
	List(ctx context.Context) ([]ServerKey, error)
	// Add inserts keys; one whose purpose and generation are taken is left out silently, so that many replicas may
	// start at once. The caller lists again to learn who won.
	Add(ctx context.Context, keys []ServerKey) error
	// Rewrap replaces the wrapped bytes of the given keys. It belongs in a transaction with the List they came from.
	Rewrap(ctx context.Context, keys []ServerKey) error
	// Retire marks a key as retired at a time.
	Retire(ctx context.Context, id domain.ServerKeyID, at time.Time) error
	// DeleteRetired removes a retired key under which at most so many rows are left, which are those that do not open.
	// ErrServerKeyInUse when there are more: they came meanwhile and would be lost.
	DeleteRetired(ctx context.Context, id domain.ServerKeyID, left int) error
}

// ErrStaleServerKey is what storage returns when something was sealed or signed under a key that has been retired
// since: the key ring in memory is old. The unit of work reloads it and runs its function again.
var ErrStaleServerKey = errors.New("the server key was retired: the key ring in memory is old")

// ErrServerKeyInUse is what storage returns for a key that still has something under it.
var ErrServerKeyInUse = errors.New("something is under the old key still")

// TamperedError says that something stored does not authenticate: it was changed or moved behind the server's back.
type TamperedError struct {
	// What names the thing without repeating any of it: "entry envelope", "entry value", "password".
	What string
}

// Error says what was tampered with.
func (e *TamperedError) Error() string { return "tampered: " + e.What + " does not authenticate" }

// IsTampered reports whether err says that stored data do not authenticate. It is no refusal of the domain: it
// leaves as a fixed 500, and on record as an alert.
func IsTampered(err error) bool {
	_, ok := errors.AsType[*TamperedError](err)
	return ok
}
