// Package passwords hashes passwords with Argon2id (RFC 9106). It encodes the hashes as PHC strings, the common format
// for password hashes: "$argon2id$v=19$m=19456,t=2,p=1$salt$hash".
package passwords

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync/atomic"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// DefaultParams are the first recommendation of the OWASP Password Storage Cheat Sheet: 19 MiB, two passes, one lane.
var DefaultParams = ports.Argon2Params{MemoryKiB: 19456, Time: 2, Threads: 1}

// Config configures a Hasher. Derive is required.
type Config struct {
	// Derive computes Argon2id. In production, it is a method of kdf.Pool.
	Derive ports.DeriveFunc
	// Params are the parameters for new hashes; zero means DefaultParams.
	Params ports.Argon2Params
	// MaxStoredMemoryKiB is the maximum memory that a stored hash may require, in KiB. Zero means 262144 (256 MiB),
	// which is also the upper limit. The value must not exceed the memory that Derive can use.
	MaxStoredMemoryKiB uint32
	// Random is the source of salts; nil means crypto/rand.Reader.
	Random io.Reader
}

// Hasher implements ports.Passwords. It is safe for concurrent use.
type Hasher struct {
	config Config
	// The field named used holds the configured parameters, and all other parameters that were found in stored hashes.
	// The order is fixed, and the list contains no duplicates. Every check derives a key with each of these parameters,
	// so the duration of a check does not depend on the stored hash.
	used atomic.Pointer[[]ports.Argon2Params]
}

// New returns a Hasher. It fails for invalid parameters, and for parameters that Check would refuse in a stored hash.
func New(config Config) (*Hasher, error) {
	if config.Derive == nil {
		return nil, errors.New("passwords: Derive must be set")
	}
	if config.Params == (ports.Argon2Params{}) {
		config.Params = DefaultParams
	}
	if config.MaxStoredMemoryKiB == 0 {
		config.MaxStoredMemoryKiB = maxStoredKiB
	}
	if config.Random == nil {
		config.Random = rand.Reader
	}
	if config.MaxStoredMemoryKiB > maxStoredKiB {
		return nil, fmt.Errorf("the memory limit for stored hashes must be at most %d KiB, but it is %d KiB",
			maxStoredKiB, config.MaxStoredMemoryKiB)
	}
	if p := config.Params; !withinLimits(p, config.MaxStoredMemoryKiB) {
		return nil, fmt.Errorf("Argon2id parameters m=%d KiB, t=%d, p=%d are invalid: "+
			"they must satisfy 8p ≤ m ≤ %d, 1 ≤ t ≤ %d, 1 ≤ p ≤ %d",
			p.MemoryKiB, p.Time, p.Threads, config.MaxStoredMemoryKiB, maxStoredTime, maxStoredThreads)
	}
	h := &Hasher{config: config}
	h.used.Store(&[]ports.Argon2Params{config.Params})
	return h, nil
}

// Hash returns the PHC string of a password with the configured parameters and a random salt of 16 bytes. See
// ports.Passwords. It blocks until the key derivation is finished.
func (h *Hasher) Hash(ctx context.Context, password domain.Secret) ([]byte, error) {
	made := phc{params: h.config.Params}
	if _, err := io.ReadFull(h.config.Random, made.salt[:]); err != nil {
		return nil, fmt.Errorf("read random bytes: %w", err)
	}
	hash, err := h.derive(ctx, password, made)
	if err != nil {
		return nil, err
	}
	made.hash = hash
	return made.append(nil), nil
}

// Check compares a password with a stored hash. See ports.Passwords. Check returns a *ports.TamperedError, without any
// key derivation, if the stored hash does not have the format that Hash writes.
//
// For an unknown user, the caller passes a nil hash, and Check reports no match. Check runs the same derivations in the
// same order for every hash, even a nil hash. The duration therefore does not reveal whether a user exists, or which
// parameters a stored hash has. A single derivation with parameters of similar cost would not be enough, because the
// time of a derivation is not proportional to its memory and passes.
func (h *Hasher) Check(ctx context.Context, password domain.Secret, stored []byte) (ports.PasswordCheck, error) {
	known := stored != nil
	var want phc
	if known {
		var ok bool
		if want, ok = parsePHC(stored, h.config.MaxStoredMemoryKiB); !ok {
			return ports.PasswordCheck{}, &ports.TamperedError{What: "password hash"}
		}
		h.learn(want.params)
	}
	match := false
	for _, params := range *h.used.Load() {
		with, own := phc{params: params}, known && params == want.params
		if own {
			with = want
		}
		// After an error, Check returns no result, so the error does not reveal whether the password matches.
		got, err := h.derive(ctx, password, with)
		if err != nil {
			return ports.PasswordCheck{}, err
		}
		same := subtle.ConstantTimeCompare(got[:], want.hash[:]) == 1
		match = match || own && same
	}
	return ports.PasswordCheck{Match: match, Outdated: match && weaker(want.params, h.config.Params)}, nil
}

// Learn reads the parameters of a stored hash. Every later call of Check also derives a key with these parameters. See
// ports.Passwords. Learn ignores a malformed hash, because Check returns an error for such a hash.
func (h *Hasher) Learn(stored []byte) {
	if made, ok := parsePHC(stored, h.config.MaxStoredMemoryKiB); ok {
		h.learn(made.params)
	}
}

// learn adds parameters to h.used unless they are already in it.
func (h *Hasher) learn(params ports.Argon2Params) {
	for {
		used := h.used.Load()
		if slices.Contains(*used, params) {
			return
		}
		more := slices.SortedFunc(slices.Values(append(slices.Clone(*used), params)), compare)
		if h.used.CompareAndSwap(used, &more) {
			return
		}
	}
}

// compare orders parameters, so that all checks run their derivations in the same order.
func compare(a, b ports.Argon2Params) int {
	return cmp.Or(cmp.Compare(a.MemoryKiB, b.MemoryKiB), cmp.Compare(a.Time, b.Time), cmp.Compare(a.Threads, b.Threads))
}

// derive hashes a password. The salt and the parameters come from the argument "with".
func (h *Hasher) derive(ctx context.Context, password domain.Secret, with phc) (hash [hashLen]byte, err error) {
	made, err := h.config.Derive(ctx, ports.PasswordWork, password.Bytes(), with.salt[:], with.params)
	if err != nil {
		return hash, err
	}
	if len(made) != hashLen {
		return hash, fmt.Errorf("the key derivation returned %d bytes instead of %d", len(made), hashLen)
	}
	return [hashLen]byte(made), nil
}

// weaker reports whether any of the three stored parameters is lower than the configured parameter. A higher value of
// another parameter does not compensate for the lower one.
func weaker(stored, current ports.Argon2Params) bool {
	return stored.MemoryKiB < current.MemoryKiB || stored.Time < current.Time || stored.Threads < current.Threads
}
