package ports

import (
	"context"
	"time"

	"github.com/lockbox-go/lockbox/domain"
)

// Attempts stores the counters of failed attempts. Their keys are digests, so that the table reveals neither user
// names nor addresses. All replicas share the counters. Attempt rows are locked after all other rows of a
// transaction.
type Attempts interface {
	// Lock locks these counters until the transaction ends and returns them in the order of the keys. Errors:
	// ErrStartOver when the janitor deleted a row concurrently.
	Lock(ctx context.Context, keys ...CounterKey) ([]domain.Attempts, error)
	// Peek returns a counter without locking it.
	Peek(ctx context.Context, key domain.Digest) (domain.Attempts, error)
	// Save stores a locked counter.
	Save(ctx context.Context, key domain.Digest, attempts domain.Attempts) error
	// Forget resets all counters of an account.
	Forget(ctx context.Context, account domain.Digest) error
	// Knows reports whether the key is remembered at now: Remember was called for it with a later time.
	Knows(ctx context.Context, key domain.Digest, now time.Time) (bool, error)
	// Remember stores a key until a time.
	Remember(ctx context.Context, key domain.Digest, until time.Time) error
}

// CounterKey is the key of a counter. It also names the account that the counter belongs to; zero means no account.
type CounterKey struct {
	Key     domain.Digest
	Account domain.Digest
}

// Digests computes keyed digests of values that must not be readable in the database. Servers that share a database
// compute the same digests.
type Digests interface {
	// Digest returns the HMAC-SHA256 of the label and the parts, under the server key of purpose throttle. A new key
	// changes all digests.
	Digest(label string, parts ...string) domain.Digest
}
