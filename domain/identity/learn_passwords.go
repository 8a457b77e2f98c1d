package identity

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// learnBatch is the maximum number of password hashes that one SQL statement reads.
const learnBatch = 1000

// LearnPasswords passes all stored password hashes to [ports.Passwords.Learn]. From then on, every comparison of a
// password does the same work, even if the stored hashes were made with different parameters. Otherwise the duration of
// a sign-in could reveal which users exist. Call LearnPasswords once, before the first request. It skips a hash whose
// ciphertext fails authentication. The next sign-in of the user who has this hash returns an error.
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

// learnUnder passes the password hashes that are sealed under one server key to [ports.Passwords.Learn].
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
