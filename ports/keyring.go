package ports

import (
	"context"

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
	// WrappedUnderPrevious reports whether a key opens with the previous secret alone.
	WrappedUnderPrevious(key ServerKey) bool
}
