package gate

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// An attempt with a password is counted before the comparison. An attempt with a passphrase is counted afterwards, and
// only if the passphrase was wrong. A read with the right passphrase therefore does not update the counter of attempts.
// Concurrent guesses can exceed the limit a little, because each guess is counted only after its key derivation. They
// exceed it at most by the number of key derivations that run at the same time.

// CheckPassphrase returns an error of kind RateLimited if the caller has sent too many wrong passphrases for the box.
// Call it before a key is derived from the passphrase, and not in a transaction. Do not call it for a generated key,
// whose 256 random bits cannot be guessed.
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

// reportPassphrases locks the row of the caller's counter. If the caller is locked out and this lockout has no audit
// event yet, reportPassphrases writes the event. It returns the verdict on the counter.
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

// CountPassphrase counts a wrong passphrase that the caller sent for the box. It uses a transaction of its own.
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
