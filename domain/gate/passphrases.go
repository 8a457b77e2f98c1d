package gate

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// Unlike a password, a passphrase is counted after the comparison, and only if it was wrong. A read with the right
// passphrase therefore writes no counter. Each caller has one counter per box, and the number of concurrent key
// derivations is bounded, so only a few guesses can run before they are counted.

// CheckPassphrase refuses a passphrase for the entries of a box before a key is derived from it, if the caller is
// locked out. It must not be called in a transaction. Do not call it for a generated key, whose 256 random bits cannot
// be guessed. Errors: RateLimited during a lockout.
func (g *Gate) CheckPassphrase(ctx context.Context, by domain.Requester, access domain.Access) error {
	counters := g.passphraseCounters(access)
	query := ports.AttemptQuery{Counters: keysOf(counters), Now: g.config.Clock.Now()}
	state, err := g.config.Store.Read().Attempts.Peek(ctx, query)
	if err != nil {
		return err
	}
	v := judge(counters, state.Counters, false, query.Now)
	if v.unreported {
		if v, err = g.reportPassphrases(ctx, by, access, counters, query); err != nil {
			return err
		}
	}
	if v.wait > 0 {
		return domain.TooManyAttempts(v.wait)
	}
	return nil
}

// reportPassphrases decides again under the lock, and audits a lockout that has no event yet.
func (g *Gate) reportPassphrases(ctx context.Context, by domain.Requester, access domain.Access, counters []counter,
	query ports.AttemptQuery) (v verdict, err error) {
	event := func(context.Context, ports.Repos) (domain.Event, error) {
		return g.Event(domain.ActionReadEntry, by, access.Caller).About(access.Box), nil
	}
	err = g.config.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		state, err := repos.Attempts.Lock(ctx, query)
		if err != nil {
			return err
		}
		if v = judge(counters, state.Counters, false, query.Now); !v.unreported {
			return nil
		}
		return g.report(ctx, repos, counters, state.Counters, event)
	})
	return v, err
}

// CountPassphrase counts a wrong passphrase of the caller for the entries of the box, in a transaction of its own.
func (g *Gate) CountPassphrase(ctx context.Context, access domain.Access) error {
	counters := g.passphraseCounters(access)
	return g.config.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		state, err := repos.Attempts.Lock(ctx, ports.AttemptQuery{Counters: keysOf(counters)})
		if err != nil {
			return err
		}
		return g.count(ctx, repos, counters, state.Counters, g.config.Clock.Now())
	})
}

func (g *Gate) passphraseCounters(access domain.Access) []counter {
	key := g.config.Digests.Digest("entry key", access.Caller.UserID.String(), access.Box.ID.String())
	return []counter{newCounter(key, domain.NewLimit(g.config.Limits.FreePerAccount))}
}
