package ports

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
)

// Workload is one of the two uses of slow derivation; each gets its turn when both wait.
type Workload uint8

// The workloads.
const (
	// PasswordWork hashes and checks passwords.
	PasswordWork Workload = iota
	// EntryWork derives entry keys from passphrases.
	EntryWork
)

// Argon2Params are the parameters of Argon2id (RFC 9106). The output is always 32 bytes.
type Argon2Params struct {
	MemoryKiB uint32
	Time      uint32
	Threads   uint8
}

// DeriveFunc computes Argon2id of a secret, waiting for its turn. Errors: Unavailable with code busy when the queue is
// full or ctx ended before the turn came. It must not be called inside a transaction.
type DeriveFunc func(ctx context.Context, use Workload, secret, salt []byte, params Argon2Params) ([]byte, error)

// Passwords hashes and checks passwords. Both methods are slow on purpose and block on the queue of derivations; they
// must not be called inside a transaction. Errors: Unavailable with code busy.
type Passwords interface {
	// Hash returns a PHC string ("$argon2id$v=19$m=…,t=…,p=…$salt$hash") with a fresh salt.
	Hash(ctx context.Context, password domain.Secret) ([]byte, error)
	// Check compares in constant time. With phc nil (an unknown user) it does the same work against a fixed hash and
	// reports Match false, so that the time tells nothing.
	Check(ctx context.Context, password domain.Secret, phc []byte) (PasswordCheck, error)
}

// PasswordCheck is the outcome of comparing a password with its hash.
type PasswordCheck struct {
	Match bool
	// Outdated: it matches, and was hashed with weaker settings than today's; hash it again.
	Outdated bool
}
