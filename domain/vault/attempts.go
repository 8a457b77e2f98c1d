package vault

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// guessKey is what wrong passphrases of a caller for a box are counted under.
func (s *Service) guessKey(access domain.Access) domain.Digest {
	return s.Digests.Digest("entry key", access.Caller.UserID.String(), access.Box.ID.String())
}

// checkGuesses refuses a passphrase, before anything is derived from it, when the caller has sent too many wrong ones
// for the box. It costs a look, and a read with the right passphrase no write. Generated keys pass: among 256 random
// bits there is nothing to guess.
func (s *Service) checkGuesses(ctx context.Context, by domain.Requester, access domain.Access,
	key domain.EncryptionKey) error {
	if key.Generated() {
		return nil
	}
	attempts, err := s.Store.Read().Attempts.Peek(ctx, s.guessKey(access))
	if err != nil {
		return err
	}
	wait := attempts.Blocked(s.Clock.Now())
	if wait == 0 {
		return nil
	}
	if !attempts.Reported {
		if err := s.reportGuesses(ctx, by, access); err != nil {
			return err
		}
	}
	return domain.TooManyAttempts(wait)
}

// reportGuesses puts one event on record for all attempts that meet the same pause.
func (s *Service) reportGuesses(ctx context.Context, by domain.Requester, access domain.Access) error {
	key := s.guessKey(access)
	return s.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		stored, err := repos.Attempts.Lock(ctx, ports.CounterKey{Key: key})
		if err != nil || stored[0].Reported {
			return err
		}
		stored[0].Reported = true
		if err := repos.Attempts.Save(ctx, key, stored[0]); err != nil {
			return err
		}
		return repos.Events.Append(ctx, s.event(domain.ActionReadEntry, by, access).Ended(domain.OutcomeRateLimited))
	})
}

// countGuess counts a wrong passphrase and returns the refusal that it was answered with.
func (s *Service) countGuess(ctx context.Context, access domain.Access, key domain.EncryptionKey, refusal error) error {
	if key.Generated() {
		return refusal
	}
	counter := s.guessKey(access)
	err := s.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		stored, err := repos.Attempts.Lock(ctx, ports.CounterKey{Key: counter})
		if err != nil {
			return err
		}
		return repos.Attempts.Save(ctx, counter, stored[0].Reserve(s.Clock.Now(), s.Throttle.FreePerAccount))
	})
	if err != nil {
		return err
	}
	return refusal
}
