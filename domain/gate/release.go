package gate

import (
	"context"
	"time"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// releaseTimeout limits Release. Release ignores the cancellation and the deadline of ctx, because the client may have
// disconnected. If ctx has already ended, the request may have reached its deadline. The response is then already late,
// so the limit is lateReleaseTimeout.
const (
	releaseTimeout     = 5 * time.Second
	lateReleaseTimeout = 500 * time.Millisecond
)

// Release undoes a reserved attempt. Call it if the credential was right or was not compared. Release uses a
// transaction of its own. It ignores errors, because it is safe if the attempt stays counted.
func (g *Gate) Release(ctx context.Context, attempt Attempt) {
	limit := releaseTimeout
	if ctx.Err() != nil {
		limit = lateReleaseTimeout
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	_ = g.config.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		return g.ReleaseIn(ctx, repos, attempt)
	})
}

// ReleaseIn does the same as [Gate.Release], in the transaction of the change that the credential allowed. Call it last
// in the transaction, because every transaction locks counters after all other rows.
func (g *Gate) ReleaseIn(ctx context.Context, repos ports.Repos, attempt Attempt) error {
	state, err := repos.Attempts.Lock(ctx, ports.AttemptQuery{Counters: attempt.Counters()})
	if err != nil {
		return err
	}
	return settle(ctx, repos, attempt, state, false)
}

// Succeed ends the attempt of a successful sign-in, in the transaction that opens the session. It sets two counters to
// zero: the account's counter for domain.AttemptWindow, and the counter of the pair of account and address. It undoes
// the attempt in all other counters that the attempt has incremented. An attempt during a lockout has incremented no
// shared counters, so Succeed does not change them.
//
// Succeed also makes the requester's own address a known address for domain.KnownAddressTTL. Call it last, like
// [Gate.ReleaseIn].
func (g *Gate) Succeed(ctx context.Context, repos ports.Repos, attempt Attempt) error {
	state, err := repos.Attempts.Lock(ctx, ports.AttemptQuery{Counters: attempt.Counters()})
	if err != nil {
		return err
	}
	return g.SucceedLocked(ctx, repos, attempt, state)
}

// SucceedLocked does the same as [Gate.Succeed], but does not lock the counters of the attempt. The transaction must
// have locked them already. The state argument contains the current states of these counters.
func (g *Gate) SucceedLocked(ctx context.Context, repos ports.Repos, attempt Attempt, state ports.AttemptState) error {
	if err := settle(ctx, repos, attempt, state, true); err != nil {
		return err
	}
	if attempt.account.IsZero() || attempt.address == "" {
		return nil
	}
	until := g.config.Clock.Now().Add(domain.KnownAddressTTL)
	return repos.Attempts.Remember(ctx, g.knownAddressDigest(attempt), until)
}

// settle removes a reserved attempt from each counter of the attempt. The caller must have locked the rows of these
// counters. If the argument "reset" is true, settle instead resets to zero each counter that a successful sign-in
// resets; see counter.resets.
func settle(ctx context.Context, repos ports.Repos, attempt Attempt, state ports.AttemptState, reset bool) error {
	return save(ctx, repos, attempt.counters, func(i int) domain.Attempts {
		if each := attempt.counters[i]; !reset || !each.resets {
			return state.Counters[i].Release(attempt.at, each.limit.Free)
		}
		return domain.Attempts{}
	})
}

// Unlock deletes all counters of an account, which ends its lockout. It keeps the counters of addresses.
func (g *Gate) Unlock(ctx context.Context, repos ports.Repos, name domain.UserName) error {
	account := g.accountDigest(string(name))
	if err := repos.Attempts.Forget(ctx, account); err != nil {
		return err
	}
	return repos.Attempts.Forget(ctx, g.monthDigest(account))
}
