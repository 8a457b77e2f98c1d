package gate

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// Attempt is a reservation for the comparison of one credential. The gate counts the attempt as wrong when it makes the
// reservation, so a wrong credential needs no further call. [Gate.Release] undoes an attempt whose credential was right
// or was not compared. [Gate.Succeed] ends the attempt of a successful sign-in and resets some of its counters. Do not
// pass the zero Attempt to either method.
type Attempt struct {
	action domain.Action
	// username is the account that the credential is for, in lower case. It is empty if the attempt has no account.
	username string
	// account is the digest of username. It is zero if the attempt has no account.
	account domain.Digest
	// address is domain.AddressGroup of the requester's address, under which attempts are counted. It is empty when the
	// address is unknown or shared.
	address  string
	at       time.Time
	counters []counter
	// lockout is the remaining time of a lockout that did not refuse the attempt. It is 0 if there was no such lockout.
	lockout time.Duration
	// user is the stored data of the account. It is set only if the reservation has read the data.
	user ports.SignIn
}

// reservation lists the counters of an attempt and controls how reserve uses them.
type reservation struct {
	// counters are all counters that apply to an attempt from an unknown address.
	counters []counter
	// knownAddress is the key under which the address is remembered for the account. It is zero if the address cannot
	// become known. At a known address, shared counters do not apply.
	knownAddress domain.Digest
	// provable reports whether the attempt carries two factors.
	provable bool
	// readUser makes the reservation also read the stored data of the user.
	readUser bool
}

// applicable returns the counters that apply in the given state, with the state of each counter. If the address is
// known, shared counters do not apply.
func (r reservation) applicable(state ports.AttemptState) (counters []counter, stored []domain.Attempts) {
	for i, each := range r.counters {
		if !state.Known || !each.shared {
			counters, stored = append(counters, each), append(stored, state.Counters[i])
		}
	}
	return counters, stored
}

// at returns the counters that apply if the address is known, or those that apply if it is unknown.
func (r reservation) at(known bool) []counter {
	counters, _ := r.applicable(ports.AttemptState{
		Counters: make([]domain.Attempts, len(r.counters)),
		Known:    known,
	})
	return counters
}

// ReserveAccount counts an attempt to sign in to an account. It runs before the credential is compared, so that
// concurrent attempts cannot exceed the limit. It commits a transaction of its own, because the comparison that follows
// is slow. It treats an unknown account like an existing account.
//
// An attempt counts for its address and for the pair of account and address. If the account has not signed in from the
// address within domain.KnownAddressTTL, the attempt also counts for the account as a whole: in one counter for
// domain.AttemptWindow and in one for a month. Guesses from other addresses therefore do not lock the account out at a
// known address. At unknown addresses, they lock it out for at most an hour at a time. A single address cannot cause
// such lockouts repeatedly, because the lockouts of the address itself last longer.
//
// Errors: RateLimited during a lockout; the attempt is then not counted.
func (g *Gate) ReserveAccount(ctx context.Context, by domain.Requester, action domain.Action,
	username string) (Attempt, error) {
	return g.reserveAccount(ctx, by, action, username, reservation{})
}

// ReserveSignIn is ReserveAccount for a sign-in. It also reads the stored data of the user, in the round trip that
// locks the counters; see [Attempt.User]. An attempt that carries two factors is also allowed during a lockout that
// strangers can cause. For such an attempt, [Attempt.Locked] returns true, and the caller must accept the sign-in only
// if both factors are right. Otherwise the caller must return [Attempt.Refusal], after the same work for every account,
// so that the response does not reveal whether a guess was right.
func (g *Gate) ReserveSignIn(ctx context.Context, by domain.Requester, username string,
	twoFactors bool) (Attempt, error) {
	return g.reserveAccount(ctx, by, domain.ActionSignIn, username, reservation{provable: twoFactors, readUser: true})
}

// reserveAccount sets the counters of the reservation and reserves the attempt.
func (g *Gate) reserveAccount(ctx context.Context, by domain.Requester, action domain.Action, username string,
	request reservation) (Attempt, error) {
	username = strings.ToLower(username)
	attempt := Attempt{
		action:   action,
		username: username,
		account:  g.accountDigest(username),
		address:  ownAddress(by),
	}
	request.counters = append(g.addressCounters(by, "address", g.config.Limits.FreePerAddress),
		g.accountCounters(attempt)...)
	if attempt.address != "" {
		request.knownAddress = g.knownAddressDigest(attempt)
	}
	return g.reserve(ctx, by, attempt, request)
}

// User returns the stored data of the user, as ReserveSignIn read it when it reserved the attempt. It is zero for a
// user who does not exist.
func (a Attempt) User() ports.SignIn { return a.user }

// Counters returns the keys of the counters that the attempt has incremented.
func (a Attempt) Counters() []ports.CounterKey { return keysOf(a.counters) }

// Locked reports whether the attempt was allowed during a lockout; see [Gate.ReserveSignIn].
func (a Attempt) Locked() bool { return a.lockout > 0 }

// Refusal returns the error for an attempt that was allowed during a lockout but lacks the right factors.
func (a Attempt) Refusal() error { return domain.TooManyAttempts(a.lockout) }

// ReserveAddress counts an attempt that has no account, such as a registration or an unknown refresh token, under the
// requester's address. Errors: RateLimited during a lockout.
func (g *Gate) ReserveAddress(ctx context.Context, by domain.Requester, action domain.Action) (Attempt, error) {
	return g.reserveFixed(ctx, by, action, g.addressCounters(by, "address", g.config.Limits.FreePerAddress))
}

// ReserveInit counts an attempt with an initialization token under the requester's address. One counter for all
// addresses would let a stranger lock out the administrator who has the right token. Errors: RateLimited during a
// lockout.
func (g *Gate) ReserveInit(ctx context.Context, by domain.Requester) (Attempt, error) {
	counters := g.addressCounters(by, "initialize from", g.config.Limits.FreePerAccount)
	return g.reserveFixed(ctx, by, domain.ActionInitialize, counters)
}

// reserveFixed is reserve for an attempt without an account. The same counters apply whether or not the address is
// known.
func (g *Gate) reserveFixed(ctx context.Context, by domain.Requester, action domain.Action,
	counters []counter) (Attempt, error) {
	return g.reserve(ctx, by, Attempt{action: action, address: ownAddress(by)}, reservation{counters: counters})
}

// reserve refuses an attempt during a lockout and otherwise counts it. It first reads the counters without a lock:
// during a flood, this read refuses nearly all attempts.
func (g *Gate) reserve(ctx context.Context, by domain.Requester, attempt Attempt, in reservation) (Attempt, error) {
	query := ports.AttemptQuery{
		Counters:     keysOf(in.counters),
		KnownAddress: in.knownAddress,
		Now:          g.config.Clock.Now(),
	}
	state, err := g.config.Store.Read().Attempts.Peek(ctx, query)
	if err != nil {
		return attempt, err
	}
	counters, stored := in.applicable(state)
	if v := judge(counters, stored, in.provable, query.Now); v.wait > 0 && !v.unreported {
		return attempt, domain.TooManyAttempts(v.wait)
	}
	if query.ReadUser = in.readUser; in.readUser {
		// An invalid name is looked up as the empty name, which no user has, so that an invalid name takes the same
		// work as a valid one.
		query.User, _ = domain.ParseUserName(attempt.username)
	}
	// An attempt from a known address must not wait for the locks of counters that strangers use.
	known := state.Known
	var v verdict
	err = g.config.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		counters := in.at(known)
		query.Counters, query.Now = keysOf(counters), g.config.Clock.Now()
		state, err := repos.Attempts.Lock(ctx, query)
		if err != nil {
			return err
		}
		if state.Known != known { // the address has become known, or is not known any more
			known = state.Known
			return ports.ErrStartOver
		}
		v = judge(counters, state.Counters, in.provable, query.Now)
		if v.unreported {
			if err := g.report(ctx, repos, counters, state.Counters, g.accountLockout(by, attempt)); err != nil {
				return err
			}
		}
		if v.wait > 0 {
			return nil
		}
		attempt.at, attempt.lockout, attempt.user = query.Now, v.shared, state.User
		attempt.counters, stored = uncounted(counters, state.Counters, attempt.Locked())
		return g.count(ctx, repos, attempt.counters, stored, attempt.at)
	})
	if err == nil && v.wait > 0 {
		err = domain.TooManyAttempts(v.wait)
	}
	return attempt, err
}

// uncounted returns the counters that the attempt increments, and their states. If locked is true, the attempt is
// allowed during a lockout of shared counters. It must not extend that lockout, so uncounted omits the shared counters.
func uncounted(counters []counter, stored []domain.Attempts, locked bool) ([]counter, []domain.Attempts) {
	if !locked {
		return counters, stored
	}
	var own []counter
	var states []domain.Attempts
	for i, each := range counters {
		if !each.shared {
			own, states = append(own, each), append(states, stored[i])
		}
	}
	return own, states
}

// accountLockout returns a function that makes the audit event of a lockout. The event names the account only if the
// account exists: an unknown username may be a password that was typed into the wrong field.
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
