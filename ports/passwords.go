package ports

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
)

// Workload is one of the two purposes of Argon2id. Each workload has its own queue, so one workload cannot starve the
// other.
type Workload uint8

// The workloads.
const (
	// PasswordWork is password hashing.
	PasswordWork Workload = iota
	// EntryWork is key derivation from passphrases.
	EntryWork
)

// Argon2Params are the parameters of Argon2id (RFC 9106). The output is always 32 bytes.
type Argon2Params struct {
	MemoryKiB uint32
	Time      uint32
	Threads   uint8
}

// DeriveFunc computes Argon2id of a secret. It blocks on the queue of its workload and must not run inside a
// transaction. Errors: Unavailable with code busy when the queue is full, or when ctx ends before the derivation
// begins.
type DeriveFunc func(ctx context.Context, use Workload, secret, salt []byte, params Argon2Params) ([]byte, error)

// Passwords hashes and checks passwords. Hash and Check are slow on purpose. They also wait in the queue of
// PasswordWork, so they must not run inside a transaction. Errors: Unavailable with code busy. Tests of use cases
// replace Passwords with a test double without Argon2id.
type Passwords interface {
	// Hash returns a PHC string ("$argon2id$v=19$m=…,t=…,p=…$salt$hash") with a new random salt.
	Hash(ctx context.Context, password domain.Secret) ([]byte, error)
	// Check compares a password with a hash in constant time. The phc argument is nil if the user does not exist. In
	// this case, Check does the same work with a fixed hash, and the field Match of the result is false. The response
	// time therefore does not reveal which users exist. The work includes one derivation with the parameters of the
	// current settings, and one for each different set of parameters that was recorded by Learn or by an earlier call
	// of Check.
	Check(ctx context.Context, password domain.Secret, phc []byte) (PasswordCheck, error)
	// Learn records the parameters of the given stored hash. Every later call of Check includes a derivation with these
	// parameters. Learn does not block. Check itself records the parameters of each hash that it compares.
	Learn(phc []byte)
}

// PasswordCheck is the result of comparing a password with its hash.
type PasswordCheck struct {
	Match bool
	// Outdated means that the password matches, but the hash has weaker parameters than the current settings. The
	// password should be hashed again.
	Outdated bool
}
