package gate

import (
	"context"
	"time"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// releaseTimeout limits Release. Release ignores the cancellation and the deadline of the request's context, because
// the client may have disconnected. If the request's context has ended, lateReleaseTimeout applies instead of
// releaseTimeout: the request may have reached its deadline, and its response must not wait much longer.
const (
	releaseTimeout     = 5 * time.Second
	lateReleaseTimeout = 500 * time.Millisecond
)

// Release undoes a reserved attempt whose credential was not compared or was right. It uses a transaction of its own.
// It ignores errors: the attempt then stays counted, which is safe.
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

// ReleaseIn is [Gate.Release] in the transaction of the change that the credential allowed. Call it last: counters
// are locked after all other rows.
func (g *Gate) ReleaseIn(ctx context.Context, repos ports.Repos, attempt Attempt) error {
	state, err := repos.Attempts.Lock(ctx, ports.AttemptQuery{Counters: attempt.Counters()})
	if err != nil {
		return err
	}
	return settle(ctx, repos, attempt, state, false)
}

// Succeed ends the attempt of a successful sign-in, in the transaction that opens the session. It sets two counters to
// zero: the account's counter for domain.AttemptWindow, and the counter of the pair of account and address. In the
// other counters, it undoes the attempt. An attempt for which [Attempt.Locked] is true has not incremented the shared
// counters, which include the account's counter, so Succeed leaves the shared counters unchanged. It also remembers the
// requester's own address for domain.KnownAddressTTL. Call it last, like [Gate.ReleaseIn].
func (g *Gate) Succeed(ctx context.Context, repos ports.Repos, attempt Attempt) error {
	state, err := repos.Attempts.Lock(ctx, ports.AttemptQuery{Counters: attempt.Counters()})
	if err != nil {
		return err
	}
	return g.SucceedLocked(ctx, repos, attempt, state)
}

// SucceedLocked is [Gate.Succeed] for counters that the transaction has already locked. The state argument holds the
// current states of these counters.
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

// settle undoes a reserved attempt in each of its locked counters. If reset is true, it sets the counters that a
// success resets to zero instead.
func settle(ctx context.Context, repos ports.Repos, attempt Attempt, state ports.AttemptState, reset bool) error {
	return save(ctx, repos, attempt.counters, func(i int) domain.Attempts {
		if each := attempt.counters[i]; !reset || !each.resets {
			return state.Counters[i].Release(attempt.at, each.limit.Free)
		}
		return domain.Attempts{}
	})
}

// Unlock sets all counters of an account back to zero, which ends its lockout. The counters of addresses stay.
func (g *Gate) Unlock(ctx context.Context, repos ports.Repos, name domain.UserName) error {
	account := g.accountDigest(string(name))
	if err := repos.Attempts.Forget(ctx, account); err != nil {
		return err
	}
	return repos.Attempts.Forget(ctx, g.monthDigest(account))
}
