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

// Rekey replaces the key of a purpose after a compromise while servers run: it adds a new key and retires all older ones
// in one transaction, moves over what is under them in small batches, and deletes them once nothing is. What is under a
// signing key cannot be moved: those tokens end. When it is stopped half-way, the next one moves the rest, to a newer
// key still. It returns how many rows were moved or ended.
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
	since := time.Now()
	if err := s.Keyring.Reload(ctx); err != nil {
		return 0, err
	}
	walk := &walk{purpose: purpose, progress: progress}
	if err := s.moveAll(ctx, walk, retired); err != nil {
		return walk.done, err
	}
	// What a server sealed under an old key before it was retired may be committed only now.
	if err := s.awaitServers(ctx, since); err != nil {
		return walk.done, err
	}
	if err := s.moveAll(ctx, walk, retired); err != nil {
		return walk.done, err
	}
	if err := s.deleteRetired(ctx, walk, retired); err != nil {
		return walk.done, err
	}
	return walk.done, walk.forgery()
}

// retireOld adds the new key and returns all the others.
func (s *Service) retireOld(ctx context.Context, purpose domain.KeyPurpose) ([]ports.ServerKey, error) {
	var old []ports.ServerKey
	err := s.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		keys, err := repos.ServerKeys.List(ctx)
		if err != nil {
			return err
		}
		old = ofPurpose(keys, purpose)
		added, err := s.Keyring.NewKey(purpose, old[len(old)-1].Generation+1)
		if err != nil {
			return err
		}
		if err := repos.ServerKeys.Add(ctx, []ports.ServerKey{added}); err != nil {
			return err
		}
		for _, key := range old {
			if err := repos.ServerKeys.Retire(ctx, key.ID, s.Clock.Now()); err != nil {
				return err
			}
		}
		return repos.Events.Append(ctx, s.event(domain.ActionRekey, string(purpose)))
	})
	return old, err
}

// awaitServers returns when no transaction of a server is left that began before since, and Grace is over.
func (s *Service) awaitServers(ctx context.Context, since time.Time) error {
	if err := wait(ctx, s.Grace); err != nil {
		return err
	}
	for {
		oldest, err := s.Store.Read().SealedRows.OldestTransaction(ctx)
		if err != nil || oldest < time.Since(since) {
			return err
		}
		if err := wait(ctx, time.Second); err != nil {
			return err
		}
	}
}

func (s *Service) deleteRetired(ctx context.Context, w *walk, retired []ports.ServerKey) error {
	return s.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		for _, key := range retired {
			if err := repos.ServerKeys.DeleteRetired(ctx, key.ID, len(w.forged[key.ID])); err != nil {
				return err
			}
		}
		return nil
	})
}

// DoomedTokens lists the API keys that a rekey of their purpose would end: all of them.
func (s *Service) DoomedTokens(ctx context.Context) ([]ports.OwnedAPIKey, error) {
	keys, err := s.Store.Read().ServerKeys.List(ctx)
	if err != nil {
		return nil, err
	}
	var doomed []ports.OwnedAPIKey
	for _, key := range ofPurpose(keys, domain.KeyForAPIKeys) {
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
