package identity

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// checkPassword compares a password with the stored hash. It takes the same time for every user, including a user
// without a password and a user who does not exist. For a user who does not exist, stored is zero. If the stored hash
// does not authenticate, checkPassword writes event to the audit log with outcome tampered. Errors: Unavailable when
// the queue for password hashing is full.
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

// rehash hashes a password again if the parameters of the stored hash are weaker than the current parameters. It
// returns the change that replaces the stored hash. A sign-in calls rehash, because a new hash requires the password
// itself, which is not stored. rehash returns no change if the parameters are current. It also returns no change after
// an error, because the next sign-in tries again.
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

// savePassword seals phc, the hash of a new password, and stores it in place of the old password. The argument was
// holds the old password as the caller has read it. Errors: Conflict if another request has replaced the old password
// since then.
func (s *core) savePassword(ctx context.Context, repos ports.Repos, was ports.SealedPassword, phc []byte) error {
	password, err := s.sealPassword(ctx, was.User, phc)
	if err != nil {
		return err
	}
	return repos.Users.SetPassword(ctx, was, password)
}
