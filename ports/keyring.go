package ports

import (
	"context"
	"time"

	"github.com/lockbox-go/lockbox/domain"
)

// PasswordPurpose is the purpose under which password hashes are sealed; see AccountSealer.
const PasswordPurpose = "password"

// Keyring holds the server keys in memory, unwrapped with the master secret. It is safe for concurrent use.
type Keyring interface {
	// Reload reads the keys from the database. If Reload fails, the keys in memory stay in use.
	Reload(ctx context.Context) error
	// NewKey generates a random key with the given purpose and generation. The key is wrapped under the current secret.
	NewKey(purpose domain.KeyPurpose, generation int) (ServerKey, error)
	// Rewrap unwraps keys with the current or the previous secret. It returns the keys wrapped under the current
	// secret.
	Rewrap(keys []ServerKey) ([]ServerKey, error)
	// Status lists the keys in memory, sorted by purpose and generation.
	Status() []KeyStatus
}

// KeyStatus is the public description of a server key.
type KeyStatus struct {
	ID         domain.ServerKeyID
	Purpose    domain.KeyPurpose
	Generation int
	CreatedAt  time.Time
	// RetiredAt is zero while the key is in use.
	RetiredAt time.Time
	// UnderPrevious means that the key is still wrapped under the previous secret. The command "lockbox secret rotate"
	// wraps it under the current secret.
	UnderPrevious bool
}
