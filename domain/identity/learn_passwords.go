package identity

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// learnBatch is how many stored passwords one statement reads.
const learnBatch = 1000

// LearnPasswords reads all stored password hashes once, before the first request, so that every comparison does the
// work of all parameters in use. Otherwise, after a change of the parameters of password hashing, the duration of a
// sign-in would reveal which users exist. It ignores hashes that do not authenticate: a sign-in reports them.
func (s *Service) LearnPasswords(ctx context.Context) error {
	keys, err := s.store.Read().ServerKeys.List(ctx)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if key.Purpose != domain.KeyForAccounts {
			continue
		}
		if err := s.learnUnder(ctx, key.ID); err != nil {
			return err
		}
	}
	return nil
}

// learnUnder reads the password hashes that are sealed under a key.
func (s *core) learnUnder(ctx context.Context, key domain.ServerKeyID) error {
	var after domain.UserID
	for {
		stored, err := s.store.Read().SealedRows.Passwords(ctx, key, after, learnBatch)
		if err != nil || len(stored) == 0 {
			return err
		}
		for _, password := range stored {
			after = password.User
			phc, err := s.config.Sealer.OpenAccount(ctx, ports.PasswordPurpose, password.User, password.Sealed)
			if ports.IsTampered(err) {
				continue
			}
			if err != nil {
				return err
			}
			s.config.Passwords.Learn(phc)
		}
	}
}
