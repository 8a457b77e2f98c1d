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
	// free is how many attempts are allowed before the first lockout.
	free int
	// resets: a successful attempt sets the counter back to zero. The counter of an address does not reset: otherwise
	// an attacker could reset it by signing in to an account of their own.
	resets bool
}

// keysOf returns the keys of counters, in their order.
func keysOf(counters []counter) []ports.CounterKey {
	keys := make([]ports.CounterKey, len(counters))
	for i, each := range counters {
		keys[i] = each.CounterKey
	}
	return keys
}

// eventFunc makes the audit event of a lockout. It runs in the transaction that reports the lockout.
type eventFunc func(ctx context.Context, repos ports.Repos) (domain.Event, error)

// peek reads counters without a lock and without writing, so that a flood of attempts during a lockout costs little.
// reported is the longest lockout that has an audit event; unreported is true if a lockout without an event exists.
func (g *Gate) peek(ctx context.Context, counters []counter) (reported time.Duration, unreported bool, err error) {
	now := g.config.Clock.Now()
	for _, each := range counters {
		attempts, err := g.config.Store.Read().Attempts.Peek(ctx, each.Key)
		if err != nil {
			return 0, false, err
		}
		switch wait := attempts.Blocked(now); {
		case wait > 0 && attempts.Reported:
			reported = max(reported, wait)
		case wait > 0:
			unreported = true
		}
	}
	return reported, unreported, nil
}

// lock locks counters and returns their contents and the longest lockout among them. It writes the missing audit event
// of a new lockout.
func (g *Gate) lock(ctx context.Context, repos ports.Repos, counters []counter,
	lockout eventFunc) (stored []domain.Attempts, wait time.Duration, err error) {
	stored, err = repos.Attempts.Lock(ctx, keysOf(counters)...)
	if err != nil {
		return nil, 0, err
	}
	now, unreported := g.config.Clock.Now(), false
	for i, attempts := range stored {
		blocked := attempts.Blocked(now)
		wait = max(wait, blocked)
		if blocked == 0 || attempts.Reported {
			continue
		}
		unreported, attempts.Reported = true, true
		if err := repos.Attempts.Save(ctx, counters[i].Key, attempts); err != nil {
			return nil, 0, err
		}
	}
	if !unreported {
		return stored, wait, nil
	}
	event, err := lockout(ctx, repos)
	if err != nil {
		return nil, 0, err
	}
	return stored, wait, repos.Events.Append(ctx, event.Ended(domain.OutcomeRateLimited))
}

// count adds an attempt to locked counters. stored contains the current state of the counters.
func (g *Gate) count(ctx context.Context, repos ports.Repos, counters []counter, stored []domain.Attempts,
	at time.Time) error {
	for i, each := range counters {
		if err := repos.Attempts.Save(ctx, each.Key, stored[i].Reserve(at, each.free)); err != nil {
			return err
		}
	}
	return nil
}
