// Package passwords hashes passwords with Argon2id (RFC 9106) and writes them as PHC strings, the way of writing that
// password hashes have agreed on: "$argon2id$v=19$m=19456,t=2,p=1$salt$hash".
package passwords

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// DefaultParams are the parameters that OWASP's password storage cheat sheet names first: 19 MiB, two passes, one lane.
var DefaultParams = ports.Argon2Params{MemoryKiB: 19456, Time: 2, Threads: 1}

// Config is what a Hasher needs. Derive must be set.
type Config struct {
	Derive ports.DeriveFunc
	// Params are today's parameters; zero means DefaultParams.
	Params ports.Argon2Params
	// MaxStoredMemoryKiB is the most that a stored hash may ask for, in KiB. Zero means 262144 (256 MiB), which is
	// also the most it can be. It must not be above what the pool behind Derive can run.
	MaxStoredMemoryKiB uint32
	// Random is crypto/rand.Reader unless a test needs the same bytes again.
	Random io.Reader
}

// Hasher implements ports.Passwords. It is safe for concurrent use.
type Hasher struct{ config Config }

// New makes a hasher. Errors: parameters that are not possible, or that it would refuse in a stored hash.
func New(config Config) (*Hasher, error) {
	if config.Derive == nil {
		return nil, errors.New("passwords need a derivation")
	}
	if config.Params == (ports.Argon2Params{}) {
		config.Params = DefaultParams
	}
	if config.MaxStoredMemoryKiB == 0 {
		config.MaxStoredMemoryKiB = mostStoredKiB
	}
	if config.Random == nil {
		config.Random = rand.Reader
	}
	if config.MaxStoredMemoryKiB > mostStoredKiB {
		return nil, fmt.Errorf("at most %d KiB can be allowed for stored hashes, not %d",
			mostStoredKiB, config.MaxStoredMemoryKiB)
	}
	if p := config.Params; !possible(p, config.MaxStoredMemoryKiB) {
		return nil, fmt.Errorf("m=%d KiB, t=%d, p=%d are not possible: 8p ≤ m ≤ %d, t ≤ %d, p ≤ %d, none of them 0",
			p.MemoryKiB, p.Time, p.Threads, config.MaxStoredMemoryKiB, maxStoredTime, maxStoredThreads)
	}
	return &Hasher{config}, nil
}

// Hash returns the PHC string of a password with today's parameters and 16 random bytes of salt. See ports.Passwords.
func (h *Hasher) Hash(ctx context.Context, password domain.Secret) ([]byte, error) {
	made := phc{params: h.config.Params}
	if _, err := io.ReadFull(h.config.Random, made.salt[:]); err != nil {
		return nil, fmt.Errorf("read randomness: %w", err)
	}
	hash, err := h.derive(ctx, password, made)
	if err != nil {
		return nil, err
	}
	made.hash = hash
	return made.append(nil), nil
}

// Check compares a password with its hash. See ports.Passwords. Errors besides those there: a tampering error when the
// stored text is not one that Hash writes; nothing is derived then.
func (h *Hasher) Check(ctx context.Context, password domain.Secret, stored []byte) (ports.PasswordCheck, error) {
	// An unknown user has a hash of zeros, which no password has as far as anybody knows; and if one had, the answer
	// would still be no.
	known := stored != nil
	want := phc{params: h.config.Params}
	if known {
		var ok bool
		if want, ok = parsePHC(stored, h.config.MaxStoredMemoryKiB); !ok {
			return ports.PasswordCheck{}, &ports.TamperedError{What: "password hash"}
		}
	}
	got, err := h.derive(ctx, password, want)
	if err != nil {
		return ports.PasswordCheck{}, err
	}
	same := subtle.ConstantTimeCompare(got[:], want.hash[:]) == 1
	if known && !same && weaker(want.params, h.config.Params) {
		// A hash from before the settings rose is checked faster than the one that unknown users have; do what they do.
		// That it was refused its turn changes nothing about the password being wrong, which must be counted.
		_, _ = h.derive(ctx, password, phc{params: h.config.Params})
	}
	if !known || !same {
		return ports.PasswordCheck{}, nil
	}
	return ports.PasswordCheck{Match: true, Outdated: weaker(want.params, h.config.Params)}, nil
}

func (h *Hasher) derive(ctx context.Context, password domain.Secret, with phc) (hash [hashLen]byte, err error) {
	made, err := h.config.Derive(ctx, ports.PasswordWork, password.Bytes(), with.salt[:], with.params)
	if err != nil {
		return hash, err
	}
	if len(made) != hashLen {
		return hash, fmt.Errorf("the derivation gave %d bytes, not %d", len(made), hashLen)
	}
	return [hashLen]byte(made), nil
}

// weaker reports whether any parameter is below today's: more of one does not make up for less of another.
func weaker(stored, today ports.Argon2Params) bool {
	return stored.MemoryKiB < today.MemoryKiB || stored.Time < today.Time || stored.Threads < today.Threads
}
