package serverkeys

import (
	"context"
	"slices"
	"time"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// rekeyBatch is the maximum number of rows that one transaction moves. It is small, so that servers wait only briefly
// for row locks.
const rekeyBatch = 200

// firstPause and longestPause are the shortest and the longest pause between two queries of awaitTransactions. The
// first pause is short, because most transactions take milliseconds. Each further pause is twice as long as the one
// before.
const (
	firstPause   = 10 * time.Millisecond
	longestPause = time.Second
)

// Progress is called after each batch. The argument "done" is the number of rows that were moved, or of tokens that
// were revoked, so far.
type Progress func(done int)

// Rekey replaces the key of a purpose after a compromise. Servers may run in the meantime. One transaction adds a new
// key and retires all older ones. Rekey then moves the rows under the old keys to the new key, in small batches, and
// finally deletes the old keys. Tokens cannot be moved, so they are revoked instead. Rekey returns the number of rows
// moved or tokens revoked.
//
// If a rekey is interrupted, the next rekey adds another new key. It then moves the rows under all older keys to this
// key.
//
// A server that has not loaded the new key yet can still read with the old key. If it writes under the old key, storage
// returns ports.ErrStaleServerKey, and the server then loads the keys again.
//
// Rows that fail authentication cannot be moved to any key. They stay unchanged. Rekey moves all other rows and then
// returns a *TamperedRowsError.
func (s *Service) Rekey(ctx context.Context, purpose domain.KeyPurpose, progress Progress) (int, error) {
	retired, err := s.retireOld(ctx, purpose)
	if err != nil {
		return 0, err
	}
	// Use the clock of the machine instead of ports.Clock, because OldestTransaction measures real time.
	since := time.Now()
	open, err := s.config.Store.Read().SealedRows.OpenTransactions(ctx)
	if err != nil {
		return 0, err
	}
	if err := s.config.Keyring.Reload(ctx); err != nil {
		return 0, err
	}
	run := &rekeyRun{purpose: purpose, progress: progress}
	if err := s.moveAll(ctx, run, retired); err != nil {
		return run.done, err
	}
	// A server may have sealed a row under an old key before the key was retired, and may commit the row only now. Wait
	// for such transactions, and then move rows again.
	if err := s.awaitTransactions(ctx, since, open); err != nil {
		return run.done, err
	}
	if err := s.moveAll(ctx, run, retired); err != nil {
		return run.done, err
	}
	if err := s.deleteRetired(ctx, run, retired); err != nil {
		return run.done, err
	}
	return run.done, run.tamperedError()
}

// retireOld adds a new key of the purpose, retires all older ones, and returns the retired keys.
func (s *Service) retireOld(ctx context.Context, purpose domain.KeyPurpose) ([]ports.ServerKey, error) {
	var old []ports.ServerKey
	err := s.config.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		keys, err := repos.ServerKeys.List(ctx)
		if err != nil {
			return err
		}
		old = ofPurpose(keys, purpose)
		// The keys are sorted by generation. There is at least one, because the first start of a server adds a key for
		// every purpose.
		added, err := s.config.Keyring.NewKey(purpose, old[len(old)-1].Generation+1)
		if err != nil {
			return err
		}
		if err := repos.ServerKeys.Add(ctx, []ports.ServerKey{added}); err != nil {
			return err
		}
		for _, key := range old {
			if err := repos.ServerKeys.Retire(ctx, key.ID, s.config.Clock.Now()); err != nil {
				return err
			}
		}
		return repos.Events.Append(ctx, s.event(domain.ActionRekey, string(purpose)))
	})
	return old, err
}

// awaitTransactions waits for the transactions that were open when the old keys were retired. It returns when all of
// them have ended. A transaction that began after the retirement cannot write under an old key.
//
// Transactions of other programs, such as a backup, may stay open for a long time. After Config.Grace,
// awaitTransactions therefore ignores them. It then waits only for transactions that servers began before the old keys
// were retired.
func (s *Service) awaitTransactions(ctx context.Context, since time.Time, open []string) error {
	rows := s.config.Store.Read().SealedRows
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		now, err := rows.OpenTransactions(ctx)
		if err != nil {
			return err
		}
		open = slices.DeleteFunc(open, func(id string) bool { return !slices.Contains(now, id) })
		if len(open) == 0 {
			return nil
		}
		if time.Since(since) >= s.config.Grace {
			oldest, err := rows.OldestTransaction(ctx)
			if err != nil || oldest < time.Since(since) {
				return err
			}
		}
		if err := wait(ctx, pause); err != nil {
			return err
		}
	}
}

// deleteRetired deletes the old keys. The only rows allowed under an old key are those that failed authentication. If
// an old key has any other row, storage returns an error and keeps the key.
func (s *Service) deleteRetired(ctx context.Context, run *rekeyRun, retired []ports.ServerKey) error {
	return s.config.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		for _, key := range retired {
			if err := repos.ServerKeys.DeleteRetired(ctx, key.ID, len(run.tampered[key.ID])); err != nil {
				return err
			}
		}
		return nil
	})
}

// wait returns nil after the duration, or the error of ctx if ctx is done earlier.
func wait(ctx context.Context, duration time.Duration) error {
	timer := time.NewTimer(duration)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
