package ports

import (
	"context"
	"time"

	"github.com/lockbox-go/lockbox/domain"
)

// PasswordPurpose binds a sealed password hash to what it is (see AccountSealer).
const PasswordPurpose = "password"

// Keyring is the server's keys in memory, opened with the secret.
type Keyring interface {
	// Reload reads the keys again. The keys in memory stay when it fails.
	Reload(ctx context.Context) error
	// NewKey makes a random key of a purpose and generation, wrapped under the present secret.
	NewKey(purpose domain.KeyPurpose, generation int) (ServerKey, error)
	// Rewrap returns the keys wrapped under the present secret, having opened them with it or with the previous one.
	Rewrap(keys []ServerKey) ([]ServerKey, error)
	// Status lists the keys in memory, by purpose and generation.
	Status() []KeyStatus
}

// KeyStatus is what may be shown of a server key.
type KeyStatus struct {
	ID         domain.ServerKeyID
	Purpose    domain.KeyPurpose
	Generation int
	CreatedAt  time.Time
	// RetiredAt is zero while the key is in use.
	RetiredAt time.Time
	// UnderPrevious: it is still wrapped under the previous secret; rotate has not been run.
	UnderPrevious bool
}
