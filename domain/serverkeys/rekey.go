package serverkeys

import (
	"context"
	"time"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// rekeyBatch rows are rewrapped in one transaction: few enough that nobody waits for it long.
const rekeyBatch = 200

// Progress is told after each batch: how many rows were rewrapped, or tokens ended, so far.
type Progress func(done int)

// Rekey replaces the key of a purpose after a compromise while servers run: it adds a new key and retires the old ones
// in one transaction, moves over what is under the old ones in small batches, and deletes them. What is under a
// signing key cannot be moved: those tokens end. A Rekey that was stopped half-way is gone on with by the next one.
//
// A server that has not heard of the new key yet reads with the old one, and is refused when it writes under it, which
// makes it read the key ring again.
//
// What does not open, because somebody changed it, opens under no key: it stays where it is, and is the ForgedError that
// Rekey returns when all the rest is done.
func (s *Service) Rekey(ctx context.Context, purpose domain.KeyPurpose, progress Progress) (int, error) {
	retired, err := s.retireOld(ctx, purpose)
	if err != nil {
		return 0, err
	}
	if err := s.Keyring.Reload(ctx); err != nil {
		return 0, err
	}
	walk := &walk{purpose: purpose, progress: progress}
	if err := s.moveAll(ctx, walk, retired); err != nil {
		return walk.done, err
	}
	// What a server sealed under the old key before it was retired may be committed only now.
	if err := wait(ctx, s.Grace); err != nil {
		return walk.done, err
	}
	if err := s.moveAll(ctx, walk, retired); err != nil {
		return walk.done, err
	}
	if err := s.deleteRetired(ctx, retired); err != nil {
		return walk.done, err
	}
	return walk.done, walk.forgery()
}

// retireOld returns the keys to be replaced, having made sure that there is a newer one.
func (s *Service) retireOld(ctx context.Context, purpose domain.KeyPurpose) ([]ports.ServerKey, error) {
	var old []ports.ServerKey
	err := s.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		keys, err := repos.ServerKeys.List(ctx)
		if err != nil {
			return err
		}
		all := ofPurpose(keys, purpose)
		newest := all[len(all)-1]
		if len(all) > 1 {
			old = all[:len(all)-1] // an earlier rekey was stopped half-way: go on with it
			return nil
		}
		old = all
		added, err := s.Keyring.NewKey(purpose, newest.Generation+1)
		if err != nil {
			return err
		}
		if err := repos.ServerKeys.Add(ctx, []ports.ServerKey{added}); err != nil {
			return err
		}
		if err := repos.ServerKeys.Retire(ctx, newest.ID, s.Clock.Now()); err != nil {
			return err
		}
		return repos.Events.Append(ctx, s.event(domain.ActionRekey, string(purpose)))
	})
	return old, err
}

func (s *Service) deleteRetired(ctx context.Context, retired []ports.ServerKey) error {
	return s.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		for _, key := range retired {
			if err := repos.ServerKeys.Delete(ctx, key.ID); err != nil {
				return err
			}
		}
		return nil
	})
}

// DoomedTokens lists the API keys that a rekey of their purpose would end.
func (s *Service) DoomedTokens(ctx context.Context) ([]ports.OwnedAPIKey, error) {
	keys, err := s.Store.Read().ServerKeys.List(ctx)
	if err != nil {
		return nil, err
	}
	all := ofPurpose(keys, domain.KeyForAPIKeys)
	if len(all) > 1 {
		all = all[:len(all)-1] // a rekey is under way: those of the newest key stay
	}
	var doomed []ports.OwnedAPIKey
	for _, key := range all {
		tokens, err := s.Store.Read().SealedRows.TokensUnder(ctx, key.ID)
		if err != nil {
			return nil, err
		}
		doomed = append(doomed, tokens...)
	}
	return doomed, nil
}

func wait(ctx context.Context, grace time.Duration) error {
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
