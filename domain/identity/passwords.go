package identity

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// checkPassword compares a password with the stored hash. If the user has no password or does not exist, stored must be
// zero. checkPassword then takes the same time as for a user with a password.
//
// If the ciphertext of the stored hash fails authentication, checkPassword writes event to the audit log with outcome
// "tampered". If the queue for password hashing is full, it returns an error of kind Unavailable.
func (s *core) checkPassword(ctx context.Context, given domain.Secret, stored ports.SealedPassword,
	event domain.Event) (ports.PasswordCheck, error) {
	if len(stored.Sealed) == 0 {
		return s.config.Passwords.Check(ctx, given, nil)
	}
	phc, err := s.config.Sealer.OpenAccount(ctx, ports.PasswordPurpose, stored.User, stored.Sealed)
	if err != nil {
		return ports.PasswordCheck{}, s.gate.Refused(ctx, event, err)
	}
	return s.config.Passwords.Check(ctx, given, phc)
}

// rehash hashes a password again if the parameters of the stored hash are outdated. It returns the change that replaces
// the stored hash. The server does not store passwords, so rehash runs during a sign-in, whose request contains the
// password.
//
// If the parameters are current, rehash returns the zero change. After an error, rehash returns the zero change too.
// The next sign-in then tries again.
func (s *core) rehash(ctx context.Context, check ports.PasswordCheck, password domain.Secret,
	stored ports.SealedPassword) ports.PasswordChange {
	if !check.Outdated {
		return ports.PasswordChange{}
	}
	phc, err := s.config.Passwords.Hash(ctx, password)
	if err != nil {
		return ports.PasswordChange{}
	}
	next, err := s.sealPassword(ctx, stored.User, phc)
	if err != nil {
		return ports.PasswordChange{}
	}
	return ports.PasswordChange{Was: stored, Next: next}
}

// sealPassword seals a password hash for storage.
func (s *core) sealPassword(ctx context.Context, user domain.UserID, phc []byte) (ports.SealedPassword, error) {
	key, sealed, err := s.config.Sealer.SealAccount(ctx, ports.PasswordPurpose, user, phc)
	return ports.SealedPassword{User: user, ServerKey: key, Sealed: sealed}, err
}

// savePassword seals the hash of a new password and stores it. The phc argument is the hash. The argument named "was"
// is the stored password that the hash replaces. If another request has replaced that password in the meantime,
// savePassword returns an error of kind Conflict.
func (s *core) savePassword(ctx context.Context, repos ports.Repos, was ports.SealedPassword, phc []byte) error {
	password, err := s.sealPassword(ctx, was.User, phc)
	if err != nil {
		return err
	}
	return repos.Users.SetPassword(ctx, was, password)
}
