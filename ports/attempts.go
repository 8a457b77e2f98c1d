package ports

import (
	"context"
	"time"

	"github.com/lockbox-go/lockbox/domain"
)

// Attempts stores the counters of failed attempts. The keys of the counters are digests, so the table does not reveal
// user names and addresses. All replicas share the counters. A transaction locks rows of counters after all other rows.
type Attempts interface {
	// Lock locks the counters until the transaction ends and returns their state. Errors: ErrStartOver when the janitor
	// deleted a counter concurrently.
	Lock(ctx context.Context, query AttemptQuery) (AttemptState, error)
	// Peek returns the state of counters without locking them.
	Peek(ctx context.Context, query AttemptQuery) (AttemptState, error)
	// Save stores locked counters.
	Save(ctx context.Context, counters ...CounterState) error
	// Forget resets all counters of an account.
	Forget(ctx context.Context, account domain.Digest) error
	// Remember stores the key of a known address. The argument "until" is the time at which the key expires.
	Remember(ctx context.Context, key domain.Digest, until time.Time) error
}

// CounterKey is the key of a counter. Account is the account that the counter belongs to; zero means no account.
type CounterKey struct {
	Key     domain.Digest
	Account domain.Digest
	// Keep is how long the counter is kept after its latest attempt; zero means domain.AttemptWindow.
	Keep time.Duration
}

// CounterState is a counter with its attempts.
type CounterState struct {
	CounterKey
	Attempts domain.Attempts
}

// AttemptQuery selects any number of counters. Lock and Peek read all of them in one round trip.
type AttemptQuery struct {
	Counters []CounterKey
	// KnownAddress is the key of an address, as passed to Remember. The query looks up whether this key is stored and
	// has not expired. If KnownAddress is zero, it looks up no key.
	KnownAddress domain.Digest
	Now          time.Time
	// If ReadUser is set, Lock also reads the user whose name is in the field User. This user need not exist. Peek
	// ignores both fields.
	ReadUser bool
	User     domain.UserName
}

// AttemptState is the result of an AttemptQuery.
type AttemptState struct {
	// Counters contains the attempts of each counter, in the order of the query. A counter that is not stored is zero.
	Counters []domain.Attempts
	// Known reports whether KnownAddress is remembered at Now.
	Known bool
	// User holds the stored data of the user. It is zero for a user who does not exist.
	User SignIn
}

// Digests computes keyed digests of values that must not be readable in the database. Servers that share a database
// compute the same digests.
type Digests interface {
	// Digest returns the HMAC-SHA256 of the label and the parts, under the server key for domain.KeyForThrottle. A new
	// key changes all digests.
	Digest(label string, parts ...string) domain.Digest
}
