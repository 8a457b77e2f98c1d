package gate

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// Attempt is a reservation for the comparison of one credential. The gate counts each attempt as wrong before the
// comparison, so the caller need not do anything after a wrong credential. If the credential was right or was not
// compared, the caller calls [Gate.Release]. After a successful sign-in, the caller calls [Gate.Succeed] instead, which
// also resets some counters. Do not pass the zero Attempt to either method.
type Attempt struct {
	action domain.Action
	// username is the account that the credential is for, in lower case. It is empty if the credential is not for an
	// account.
	username string
	// account is the digest of username. It is zero if the credential is not for an account.
	account domain.Digest
	// address is the group of the requester's address; see domain.AddressGroup. It is empty if the address is unknown
	// or shared.
	address  string
	at       time.Time
	counters []counter
	// lockout is the remaining time of the lockout during which the attempt was allowed. It is 0 if there was no
	// lockout.
	lockout time.Duration
	// user contains the data that is needed to check the sign-in. It is set only if reservation.readUser was true.
	user ports.SignIn
}

// reservation lists the counters of an attempt and controls how reserve uses them.
type reservation struct {
	// counters lists the counters for an attempt from an unknown address. The shared counters do not apply at a known
	// address; see [Gate.ReserveAccount].
	counters []counter
	// knownAddress is the key under which the database remembers that the account has signed in from the address. It is
	// zero if this address is never remembered.
	knownAddress domain.Digest
	// provable reports whether the attempt carries two factors.
	provable bool
	// readUser reports whether reserve also reads the stored data of the user.
	readUser bool
}

// applicable returns the counters that the attempt increments, with the state of each of them. It omits the shared
// counters if the address is known.
func (r reservation) applicable(state ports.AttemptState) (counters []counter, stored []domain.Attempts) {
	for i, each := range r.counters {
		if !state.Known || !each.shared {
			counters, stored = append(counters, each), append(stored, state.Counters[i])
		}
	}
	return counters, stored
}

// The method "at" returns the counters that the attempt increments. The argument "known" reports whether the address is
// known.
func (r reservation) at(known bool) []counter {
	counters, _ := r.applicable(ports.AttemptState{
		Counters: make([]domain.Attempts, len(r.counters)),
		Known:    known,
	})
	return counters
}

// ReserveAccount counts an attempt to sign in to an account. It runs before the credential is compared, so that
// concurrent attempts cannot exceed the limit. It commits a transaction of its own, because the comparison is slow and
// must not hold locks. It treats an unknown account in the same way as an existing one.
//
// Each attempt increments the counter of the address and the counter of the pair of account and address. The address is
// known if the account has signed in from it within domain.KnownAddressTTL. An attempt from an unknown address also
// increments two shared counters of the account: one for the attempts within domain.AttemptWindow, and one for the
// attempts within a month.
//
// At a known address, guesses from other addresses therefore never cause a lockout. At unknown addresses, they can lock
// the account out, but for at most an hour at a time. A single address cannot cause such lockouts repeatedly, because
// its own lockout for the account grows to a day.
//
// During a lockout, ReserveAccount returns an error of kind RateLimited and does not count the attempt.
func (g *Gate) ReserveAccount(ctx context.Context, by domain.Requester, action domain.Action,
	username string) (Attempt, error) {
	return g.reserveAccount(ctx, by, action, username, reservation{})
}

// ReserveSignIn does the same as ReserveAccount and also reads the stored data of the user; see [Attempt.User]. It
// reads this data in the round trip that locks the counters.
//
// If twoFactors is true, the attempt is allowed even during a lockout of the shared counters, because strangers can
// cause this lockout. [Attempt.Locked] then returns true. The caller must accept such a sign-in only if both factors
// are right, and must return [Attempt.Refusal] otherwise. Before the caller refuses the sign-in, it must do the same
// work whichever factor was wrong. Otherwise the response time would reveal a right guess.
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

// User returns the stored data of the user that ReserveSignIn read. It returns the zero value if the user does not
// exist.
func (a Attempt) User() ports.SignIn { return a.user }

// Counters returns the keys of the counters that the attempt has incremented.
func (a Attempt) Counters() []ports.CounterKey { return keysOf(a.counters) }

// Locked reports whether the attempt was allowed during a lockout; see [Gate.ReserveSignIn].
func (a Attempt) Locked() bool { return a.lockout > 0 }

// Refusal returns the error for an attempt that was allowed during a lockout but did not have two right factors.
func (a Attempt) Refusal() error { return domain.TooManyAttempts(a.lockout) }

// ReserveAddress counts an attempt in the counter of the requester's address. It is for attempts without an account,
// such as a registration or a request with an unknown refresh token. Errors: RateLimited during a lockout.
func (g *Gate) ReserveAddress(ctx context.Context, by domain.Requester, action domain.Action) (Attempt, error) {
	return g.reserveFixed(ctx, by, action, g.addressCounters(by, "address", g.config.Limits.FreePerAddress))
}

// ReserveInit counts an attempt with an initialization token in a counter of the requester's address. If all addresses
// shared one counter, a stranger could lock out the administrator who has the right token. Errors: RateLimited during a
// lockout.
func (g *Gate) ReserveInit(ctx context.Context, by domain.Requester) (Attempt, error) {
	counters := g.addressCounters(by, "initialize from", g.config.Limits.FreePerAccount)
	return g.reserveFixed(ctx, by, domain.ActionInitialize, counters)
}

// reserveFixed reserves an attempt without an account. An address can be known only for an account. Without an account,
// all the given counters therefore apply.
func (g *Gate) reserveFixed(ctx context.Context, by domain.Requester, action domain.Action,
	counters []counter) (Attempt, error) {
	return g.reserve(ctx, by, Attempt{action: action, address: ownAddress(by)}, reservation{counters: counters})
}

// reserve refuses an attempt during a lockout and otherwise counts it. It first reads the counters without a lock,
// which is enough to refuse nearly all attempts of a flood.
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
		// For an invalid name, ParseUserName returns the empty name, which no user has. The empty name is looked up
		// nevertheless, so that invalid and valid names cause the same work.
		query.User, _ = domain.ParseUserName(attempt.username)
	}
	// An attempt from a known address must not lock the rows of the shared counters. Otherwise it would wait for the
	// transactions of strangers.
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
// allowed although the shared counters are locked out. uncounted then omits them, because the attempt must not extend
// their lockout.
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

// accountLockout returns a function that makes the audit event of a lockout. The event contains the username only if an
// account with this name exists, because an unknown username may be a password that was typed into the wrong field.
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
