package gate

import (
	"context"
	"time"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// counter is one of the counters that an attempt increments.
type counter struct {
	ports.CounterKey
	limit domain.Limit
	// resets reports whether a successful sign-in sets the counter back to zero. It is false for the counter of an
	// address, because an attacker could otherwise reset that counter by signing in to an account of their own.
	resets bool
	// shared reports whether attempts from all unknown addresses increment the counter. Strangers can therefore cause a
	// lockout of a shared counter. Such a lockout does not apply at a known address, and it does not refuse an attempt
	// with two factors.
	shared bool
}

// newCounter returns a counter that is stored under key.
func newCounter(key domain.Digest, limit domain.Limit) counter {
	counter := counter{CounterKey: ports.CounterKey{Key: key}, limit: limit}
	if limit.Window > domain.AttemptWindow {
		counter.Keep = limit.Window
	}
	return counter
}

// The method "of" returns a copy of c that belongs to the given account.
func (c counter) of(account domain.Digest) counter {
	c.Account = account
	return c
}

// keysOf returns the key of each counter, in the same order.
func keysOf(counters []counter) []ports.CounterKey {
	keys := make([]ports.CounterKey, len(counters))
	for i, each := range counters {
		keys[i] = each.CounterKey
	}
	return keys
}

// eventFunc makes the audit event of a lockout. It runs in the transaction that stores this event.
type eventFunc func(ctx context.Context, repos ports.Repos) (domain.Event, error)

// verdict is the result of judge.
type verdict struct {
	// wait is the remaining time of the longest lockout that refuses the attempt. It is 0 if no lockout refuses it.
	wait time.Duration
	// If the attempt has two factors, the field "shared" is the remaining time of the longest lockout of a shared
	// counter. Such a lockout does not refuse the attempt. In all other cases, the field is 0.
	shared time.Duration
	// unreported is true if a lockout has no audit event yet.
	unreported bool
}

// judge decides whether an attempt is refused because a counter is locked out. The argument "provable" reports whether
// the attempt carries two factors.
func judge(counters []counter, stored []domain.Attempts, provable bool, now time.Time) (v verdict) {
	for i, each := range counters {
		blocked := stored[i].Blocked(now)
		if blocked == 0 {
			continue
		}
		v.unreported = v.unreported || !stored[i].Reported
		if provable && each.shared {
			v.shared = max(v.shared, blocked)
		} else {
			v.wait = max(v.wait, blocked)
		}
	}
	return v
}

// report appends one audit event for the lockouts that are not reported yet, and marks them as reported. The caller
// must have locked the rows of the counters.
func (g *Gate) report(ctx context.Context, repos ports.Repos, counters []counter, stored []domain.Attempts,
	lockout eventFunc) error {
	event, err := lockout(ctx, repos)
	if err != nil {
		return err
	}
	now := g.config.Clock.Now()
	var reported []ports.CounterState
	for i, attempts := range stored {
		if attempts.Blocked(now) > 0 && !attempts.Reported {
			stored[i].Reported = true
			reported = append(reported, ports.CounterState{CounterKey: counters[i].CounterKey, Attempts: stored[i]})
		}
	}
	if err := repos.Attempts.Save(ctx, reported...); err != nil {
		return err
	}
	return repos.Events.Append(ctx, event.Ended(domain.OutcomeRateLimited))
}

// count adds an attempt to counters. The caller must have locked the rows of these counters. The argument "stored"
// contains the current states of the counters.
func (g *Gate) count(ctx context.Context, repos ports.Repos, counters []counter, stored []domain.Attempts,
	at time.Time) error {
	return save(ctx, repos, counters, func(i int) domain.Attempts {
		return stored[i].ReserveUnder(at, counters[i].limit)
	})
}

// save stores a new state for each counter. The function next returns the new state of the counter with index i.
func save(ctx context.Context, repos ports.Repos, counters []counter, next func(i int) domain.Attempts) error {
	states := make([]ports.CounterState, len(counters))
	for i, each := range counters {
		states[i] = ports.CounterState{CounterKey: each.CounterKey, Attempts: next(i)}
	}
	return repos.Attempts.Save(ctx, states...)
}
