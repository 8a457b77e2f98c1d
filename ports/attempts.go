package ports

import (
	"context"
	"time"

	"github.com/lockbox-go/lockbox/domain"
)

// Attempts stores how many wrong credentials there were, under keys that say nothing to whoever reads them. Replicas
// share it. Rows are locked after all others of a transaction.
type Attempts interface {
	// Lock makes this transaction the only one that counts under these keys, and returns the counts in their order.
	// ErrStartOver when a row was swept in between.
	Lock(ctx context.Context, keys ...CounterKey) ([]domain.Attempts, error)
	// Peek returns a count without a lock.
	Peek(ctx context.Context, key domain.Digest) (domain.Attempts, error)
	// Save stores a count that was locked.
	Save(ctx context.Context, key domain.Digest, attempts domain.Attempts) error
	// Forget sets all counts of an account back to nothing.
	Forget(ctx context.Context, account domain.Digest) error
	// Knows reports whether the key was remembered until after now.
	Knows(ctx context.Context, key domain.Digest, now time.Time) (bool, error)
	// Remember keeps a key until then.
	Remember(ctx context.Context, key domain.Digest, until time.Time) error
}

// CounterKey is what is counted under, and the account that the count belongs to, if it does to one.
type CounterKey struct {
	Key     domain.Digest
	Account domain.Digest
}

// Digests makes keyed digests of what must not be readable in the database. Servers that share a database make the
// same ones.
type Digests interface {
	// Digest returns the HMAC-SHA256, under the server's key of purpose throttle, of the label and the parts.
	Digest(label string, parts ...string) domain.Digest
}
