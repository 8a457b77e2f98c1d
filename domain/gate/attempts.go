package gate

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// Attempt is the reserved comparison of one credential. It counts as wrong from its reservation, so a wrong credential
// needs no further call. [Gate.Release] undoes an attempt whose credential was right or was not compared.
// [Gate.Succeed] also resets the account's counter. Do not pass the zero Attempt to either method.
type Attempt struct {
	action domain.Action
	// username is the account that the credential is for, in lower case; empty without an account.
	username string
	// account is the digest of username; zero without an account.
	account domain.Digest
	// address is the group under which the requester's address is counted. It is empty when the address is unknown or
	// shared.
	address  string
	at       time.Time
	counters []counter
}

// counterFunc returns the counters of an attempt. It runs once before the transaction and once inside it.
type counterFunc func(ctx context.Context, repos ports.Repos) ([]counter, error)

// ReserveAccount counts an attempt to sign in to an account. It runs before the credential is compared, so that
// concurrent attempts cannot exceed the limit. It commits its own transaction, because the comparison that follows is
// slow. It treats an unknown account like an existing one.
//
// An address with a sign-in to the account within domain.KnownAddressTTL has a separate counter. Guesses from other
// addresses therefore do not lock out the account's owner there.
//
// Errors: RateLimited during a lockout; the attempt is then not counted.
func (g *Gate) ReserveAccount(ctx context.Context, by domain.Requester, action domain.Action,
	username string) (Attempt, error) {
	username = strings.ToLower(username)
	attempt := Attempt{
		action:   action,
		username: username,
		account:  g.accountDigest(username),
		address:  ownAddress(by),
	}
	return g.reserve(ctx, by, attempt, func(ctx context.Context, repos ports.Repos) ([]counter, error) {
		key, err := g.accountKey(ctx, repos, attempt)
		if err != nil {
			return nil, err
		}
		account := counter{
			CounterKey: ports.CounterKey{Key: key, Account: attempt.account},
			free:       g.config.Limits.FreePerAccount,
			resets:     true,
		}
		return append(g.addressCounters(by, "address", g.config.Limits.FreePerAddress), account), nil
	})
}

// ReserveAddress counts an attempt that has no account, such as a registration or an unknown refresh token, under the
// requester's address. Errors: RateLimited during a lockout.
func (g *Gate) ReserveAddress(ctx context.Context, by domain.Requester, action domain.Action) (Attempt, error) {
	return g.reserveFixed(ctx, by, action, g.addressCounters(by, "address", g.config.Limits.FreePerAddress))
}

// ReserveInit counts an attempt at the initialization token under the requester's address. One counter for all
// addresses would let a stranger lock out the administrator who has the right token. Errors: RateLimited during a
// lockout.
func (g *Gate) ReserveInit(ctx context.Context, by domain.Requester) (Attempt, error) {
	counters := g.addressCounters(by, "initialize from", g.config.Limits.FreePerAccount)
	return g.reserveFixed(ctx, by, domain.ActionInitialize, counters)
}

// reserveFixed is reserve for counters that do not depend on the database.
func (g *Gate) reserveFixed(ctx context.Context, by domain.Requester, action domain.Action,
	counters []counter) (Attempt, error) {
	return g.reserve(ctx, by, Attempt{action: action, address: ownAddress(by)},
		func(context.Context, ports.Repos) ([]counter, error) { return counters, nil })
}

// reserve refuses an attempt during a lockout and otherwise counts it. It first reads the counters without a lock:
// during a flood, this read refuses nearly all attempts.
func (g *Gate) reserve(ctx context.Context, by domain.Requester, attempt Attempt,
	countersOf counterFunc) (Attempt, error) {
	counters, err := countersOf(ctx, g.config.Store.Read())
	if err != nil {
		return attempt, err
	}
	wait, _, err := g.peek(ctx, counters)
	if err != nil {
		return attempt, err
	}
	if wait > 0 {
		return attempt, domain.TooManyAttempts(wait)
	}
	err = g.config.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		var err error
		if attempt.counters, err = countersOf(ctx, repos); err != nil {
			return err
		}
		var stored []domain.Attempts
		stored, wait, err = g.lock(ctx, repos, attempt.counters, g.accountLockout(by, attempt))
		if err != nil || wait > 0 {
			return err
		}
		attempt.at = g.config.Clock.Now()
		return g.count(ctx, repos, attempt.counters, stored, attempt.at)
	})
	if err == nil && wait > 0 {
		err = domain.TooManyAttempts(wait)
	}
	return attempt, err
}

// accountLockout makes the event of a lockout. It names the account only if the account exists: an unknown username may
// be a password that was typed into the wrong field.
func (g *Gate) accountLockout(by domain.Requester, attempt Attempt) eventFunc {
	return func(ctx context.Context, repos ports.Repos) (domain.Event, error) {
		event := g.Event(attempt.action, by, domain.Caller{})
		name, err := domain.ParseUserName(attempt.username)
		if err != nil {
			return event, nil
		}
		user, err := repos.Users.Get(ctx, name)
		if errors.Is(err, domain.NotFound) {
			return event, nil
		}
		return event.To(string(user.Name)), err
	}
}
