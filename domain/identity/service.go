// Package identity holds the use cases of accounts: users, API keys, signing in. One file is one verb.
//
// Every use case takes the requester as an argument, looks up what the database has of it now, decides, and only then
// acts. A change decides again under the lock that orders it against others.
package identity

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// Config is what the use cases need. All fields are required but the settings at the end, whose zero values mean what
// they say.
type Config struct {
	Store     ports.Store
	Events    ports.EventWriter
	Passwords ports.Passwords
	Sealer    ports.AccountSealer
	Tokens    ports.Tokens
	Codes     ports.TOTP
	Digests   ports.Digests
	Clock     ports.Clock
	IDs       ports.IDs

	// OpenRegistration lets anybody create plain users.
	OpenRegistration bool
	// ShowAPIKeys shows whole keys where otherwise their ids are shown.
	ShowAPIKeys       bool
	MinPasswordLength int
	SessionTTL        time.Duration
	// AccessTTL is how long an access token lives, RefreshTTL how long one can go on refreshing.
	AccessTTL, RefreshTTL time.Duration
	// Throttle says how many wrong credentials are free.
	Throttle domain.RateLimits
	// InitToken guards initialization; empty guards nothing.
	InitToken domain.Secret
}

// Service holds the use cases of the Lockbox API. It is safe for concurrent use.
type Service struct{ *core }

// Accounts holds the use cases of the accounts API, whose paths begin with /api/v1. It is safe for concurrent use.
type Accounts struct{ *core }

// Operator holds the use cases of the commands that an operator runs on the database. They have no requester: access to
// the database and to its secret is the authorization. It is safe for concurrent use.
type Operator struct{ *core }

// core is what the three share.
type core struct {
	Config
	// decoy is compared with the codes of users who have none, so that the time tells nothing.
	decoy domain.Secret
}

// New returns the use cases.
func New(config Config) *Service {
	decoy := make([]byte, 20)
	_, _ = rand.Read(decoy) // never fails: crypto/rand ends the program rather
	return &Service{&core{Config: config, decoy: domain.NewSecret(string(decoy))}}
}

// Accounts returns the use cases of the accounts API.
func (s *Service) Accounts() Accounts { return Accounts{s.core} }

// Operator returns the use cases of the commands that an operator runs on the database.
func (s *Service) Operator() Operator { return Operator{s.core} }

// authenticated returns the caller as the database has it now, or Unauthenticated.
func (s *core) authenticated(ctx context.Context, repos ports.Repos, by domain.Requester) (domain.Caller, error) {
	if by.Credential.IsZero() {
		return domain.Caller{}, domain.ErrUnauthenticated
	}
	caller, err := repos.Callers.Caller(ctx, by.Credential)
	if err != nil {
		return domain.Caller{}, err
	}
	return caller, caller.Authenticate(s.Clock.Now())
}

// admin is authenticated for what only an admin may do.
func (s *core) admin(ctx context.Context, repos ports.Repos, by domain.Requester) (domain.Caller, error) {
	caller, err := s.authenticated(ctx, repos, by)
	if err != nil {
		return domain.Caller{}, err
	}
	if !caller.IsAdmin() {
		return domain.Caller{}, domain.ErrAdminOnly
	}
	return caller, nil
}

func (s *core) event(action domain.Action, by domain.Requester, caller domain.Caller) domain.Event {
	return domain.NewEvent(s.IDs.New(), action, by, caller, s.Clock.Now())
}

// sealPassword makes a hash ready to be stored.
func (s *core) sealPassword(ctx context.Context, user domain.UserID, phc []byte) (ports.SealedPassword, error) {
	key, sealed, err := s.Sealer.SealAccount(ctx, ports.PasswordPurpose, user, phc)
	return ports.SealedPassword{User: user, ServerKey: key, Sealed: sealed}, err
}

// checkPassword compares a password with what is stored. It takes the same time for a user without a password, and
// for no user at all. What was tampered with goes on record as attempt.
func (s *core) checkPassword(ctx context.Context, given domain.Secret, stored ports.SealedPassword,
	attempt domain.Event) (ports.PasswordCheck, error) {
	check, err := s.comparePassword(ctx, given, stored)
	if ports.IsTampered(err) {
		err = errors.Join(err, s.Events.Write(ctx, attempt.Ended(domain.OutcomeTampered)))
	}
	return check, err
}

func (s *core) comparePassword(ctx context.Context, given domain.Secret,
	stored ports.SealedPassword) (ports.PasswordCheck, error) {
	if len(stored.Sealed) == 0 {
		return s.Passwords.Check(ctx, given, nil)
	}
	phc, err := s.Sealer.OpenAccount(ctx, ports.PasswordPurpose, stored.User, stored.Sealed)
	if err != nil {
		return ports.PasswordCheck{}, err
	}
	return s.Passwords.Check(ctx, given, phc)
}

// denied puts a refusal on record and returns it.
func (s *core) denied(ctx context.Context, attempt domain.Event, refusal error) error {
	if err := s.Events.Write(ctx, attempt.Ended(domain.OutcomeDenied)); err != nil {
		return errors.Join(err, refusal)
	}
	return refusal
}
