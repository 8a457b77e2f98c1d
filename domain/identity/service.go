// Package identity holds the use cases of accounts: users, credentials and sign-ins. Most files contain one use case
// and its request. The prefix of a file name identifies the interface: accounts_ is for the accounts API, and operator_
// is for the commands that run on the database. Files without a prefix contain use cases of the Lockbox API and shared
// code.
//
// A use case looks up the requester's user in the database and decides whether the user may act. Only then does it act.
// Before a change, it decides a second time in the transaction, under locks that serialise the transaction with other
// changes. The first decision may be outdated by then. Password hashing is slow, so it runs between the two decisions,
// before the transaction begins.
//
// A change and its audit event are stored in one transaction, so that neither is committed without the other. Locks are
// taken in the order system, user, box, entry, counters of attempts.
package identity

import (
	"crypto/rand"
	"time"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/gate"
	"github.com/lockbox-go/lockbox/ports"
)

// Config holds the dependencies and settings of the use cases. All interfaces and durations are required.
type Config struct {
	Gate      *gate.Gate
	Store     ports.Store
	Passwords ports.Passwords
	// Sealer seals password hashes and TOTP secrets for storage.
	Sealer ports.AccountSealer
	// Tokens signs API keys and session tokens. It is not used for opaque tokens, which are not signed.
	Tokens ports.Tokens
	TOTP   ports.TOTP
	// Digests computes the proofs of invitations that older releases have created.
	Digests ports.Digests
	// TokenDigests computes the stored digests of opaque tokens, recovery codes and invitations.
	TokenDigests ports.TokenDigests
	Clock        ports.Clock
	IDs          ports.IDs
	// Installation identifies the database. Clients remember it.
	Installation domain.InstallationID

	// OpenRegistration allows requests without a token to create users whose role is "user".
	OpenRegistration bool
	// ShowAPIKeys reports whether DescribeUser returns whole API keys instead of their ids.
	ShowAPIKeys bool
	// MinPasswordLength is the minimum length of a new password, in characters.
	MinPasswordLength int
	// SessionTTL is how long a session token is valid.
	SessionTTL time.Duration
	// AccessTTL is how long an access token is valid. RefreshTTL is the time after a sign-in during which the client
	// can refresh its tokens.
	AccessTTL, RefreshTTL time.Duration
	// InitToken protects initialization. If it is empty, every client may initialize the system.
	InitToken domain.Secret
}

// Service holds the use cases of the Lockbox API. It is safe for concurrent use.
type Service struct{ *core }

// Accounts holds the use cases of the accounts API, whose paths begin with /api/v1. It is safe for concurrent use.
type Accounts struct{ *core }

// Operator holds the use cases of the commands that an operator runs on the database. They check no credentials,
// because an operator needs access to the database and to the server's secret to run a command. It is safe for
// concurrent use.
type Operator struct{ *core }

// core is shared by Service, Accounts and Operator. Its fields never change.
type core struct {
	config Config
	// These fields are copies from config, because nearly every use case needs them.
	gate  *gate.Gate
	store ports.Store
	clock ports.Clock
	ids   ports.IDs
	// noSecret is a TOTP secret that no user has. If a user has no secret, the code is compared with noSecret instead.
	// The comparison therefore takes the same time for every user.
	noSecret domain.Secret
}

// New returns the use cases of the Lockbox API.
func New(config Config) *Service {
	noSecret := make([]byte, 20) // as long as a real secret
	_, _ = rand.Read(noSecret)   // never fails: crypto/rand ends the program instead
	return &Service{&core{
		config:   config,
		gate:     config.Gate,
		store:    config.Store,
		clock:    config.Clock,
		ids:      config.IDs,
		noSecret: domain.NewSecret(string(noSecret)),
	}}
}

// Accounts returns the use cases of the accounts API.
func (s *Service) Accounts() Accounts { return Accounts{s.core} }

// Operator returns the use cases of the commands that an operator runs on the database.
func (s *Service) Operator() Operator { return Operator{s.core} }
