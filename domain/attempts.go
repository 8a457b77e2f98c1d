package domain

import (
	"net/netip"
	"strconv"
	"time"
)

// RateLimits contains the numbers of attempts with wrong credentials that cause the first lockout.
type RateLimits struct {
	// FreePerAccount applies to the sign-ins to one account. FreePerAddress applies to the sign-ins from one address.
	FreePerAccount int
	FreePerAddress int
	// FreePerMonth applies to the sign-ins to an account from unknown addresses. An address is unknown if the user has
	// not signed in from it within KnownAddressTTL. The counter keeps these attempts for a month. An attacker who waits
	// for the end of each AttemptWindow therefore still reaches this limit.
	FreePerMonth int
}

// Limit contains the parameters of one counter of attempts.
type Limit struct {
	// Free is the number of attempts that cause the first lockout.
	Free int
	// First is the length of the first lockout. Each later lockout is twice as long as the previous one, up to Longest.
	First, Longest time.Duration
	// Window is how long the counter keeps its attempts. The window begins at the latest attempt. If a lockout ends
	// later than that, the window begins at the end of the lockout.
	Window time.Duration
}

// AttemptWindow is the default Window of a Limit.
const AttemptWindow = 15 * time.Minute

const (
	firstLockout   = 30 * time.Second
	longestLockout = 24 * time.Hour
	// longestSharedLockout is the maximum length of a lockout that attempts from unknown addresses cause. Without this
	// maximum, other people could lock an account out at new addresses for a day.
	longestSharedLockout = time.Hour
	// monthWindow and monthFactor define the limit per month: FreePerMonth is FreePerAccount times monthFactor.
	monthWindow = 30 * 24 * time.Hour
	monthFactor = 10
	// addressFactor is FreePerAddress divided by FreePerAccount. It is high because many people may share an address.
	addressFactor = 40
)

// KnownAddressTTL is how long an address is remembered for an account after a sign-in. A remembered address has a
// separate counter. Guesses from other addresses therefore do not lock the account out at the remembered address.
const KnownAddressTTL = 30 * 24 * time.Hour

// NewRateLimits derives all limits from FreePerAccount.
func NewRateLimits(freePerAccount int) RateLimits {
	return RateLimits{
		FreePerAccount: freePerAccount,
		FreePerAddress: addressFactor * freePerAccount,
		FreePerMonth:   monthFactor * freePerAccount,
	}
}

// NewLimit returns a limit with the given number of free attempts. Its lockouts last at most a day, and its Window is
// AttemptWindow.
func NewLimit(free int) Limit {
	return Limit{
		Free:    free,
		First:   firstLockout,
		Longest: longestLockout,
		Window:  AttemptWindow,
	}
}

// Account returns the limit on the attempts to sign in to one account from unknown addresses. The attempts from all
// these addresses count together.
func (l RateLimits) Account() Limit {
	limit := NewLimit(l.FreePerAccount)
	limit.Longest = longestSharedLockout
	return limit
}

// Month returns the monthly limit on the attempts to sign in to one account from unknown addresses. The attempts from
// all these addresses count together. The attempt that reaches this limit, and each later one, causes a lockout of an
// hour.
func (l RateLimits) Month() Limit {
	return Limit{
		Free:    l.FreePerMonth,
		First:   longestSharedLockout,
		Longest: longestSharedLockout,
		Window:  monthWindow,
	}
}

// Attempts is a counter of attempts with wrong credentials. There is one counter for each account, for each address,
// and for each pair of an account and a known address.
type Attempts struct {
	Failures     int
	LastAt       time.Time
	BlockedUntil time.Time
	// Reported is true after the audit event of the lockout was written.
	Reported bool
}

// Blocked returns how long the lockout still lasts after the given time, or 0 without a lockout.
func (a Attempts) Blocked(now time.Time) time.Duration {
	return max(0, a.BlockedUntil.Sub(now))
}

// Reserve counts an attempt before its credential is compared. Otherwise any number of concurrent attempts could run
// before the first one is counted. The attempt that brings the count to the argument free causes the first lockout.
// Each later attempt causes a lockout that is twice as long as the previous one. After an AttemptWindow without
// attempts, the count restarts.
func (a Attempts) Reserve(now time.Time, free int) Attempts {
	return a.ReserveUnder(now, NewLimit(free))
}

// ReserveUnder is like Reserve, but applies the given limit.
func (a Attempts) ReserveUnder(now time.Time, limit Limit) Attempts {
	quietSince := a.LastAt
	if a.BlockedUntil.After(quietSince) {
		quietSince = a.BlockedUntil
	}
	if now.Sub(quietSince) > limit.Window {
		a = Attempts{}
	}
	a.Failures++
	a.LastAt, a.Reported = now, false
	if over := a.Failures - limit.Free; over >= 0 {
		a.BlockedUntil = now.Add(limit.lockoutAfter(over))
	}
	return a
}

// lockoutAfter returns the length of a lockout. The argument "over" is the number of attempts after the one that caused
// the first lockout. Each of these attempts doubles the length, up to Longest.
func (l Limit) lockoutAfter(over int) time.Duration {
	lockout := l.First
	for range over {
		if lockout *= 2; lockout >= l.Longest {
			return l.Longest
		}
	}
	return lockout
}

// Release undoes the attempt that was reserved at reservedAt. It is for an attempt whose credential was right or was
// not compared. Release also ends the lockout if this attempt was the latest one, or if the count is now below the
// number of free attempts.
func (a Attempts) Release(reservedAt time.Time, free int) Attempts {
	a.Failures = max(0, a.Failures-1)
	if a.Failures < free || a.LastAt.Equal(reservedAt) {
		a.BlockedUntil = time.Time{}
	}
	return a
}

// TooManyAttempts is the refusal of an attempt during a lockout. The wait is rounded up to whole seconds.
func TooManyAttempts(wait time.Duration) *Error {
	seconds := int((wait + time.Second - 1) / time.Second)
	refusal := Refuse(RateLimited, "throttled",
		"too many wrong attempts; try again in "+strconv.Itoa(seconds)+" seconds")
	refusal.RetryAfter = time.Duration(seconds) * time.Second
	return refusal
}

// AddressGroup returns the group under which attempts from an address are counted. The group is the address itself for
// IPv4 and the /64 network for IPv6, because a client with one address of a /64 network usually controls all of them. A
// text that is not an address forms its own group.
func AddressGroup(address string) string {
	parsed, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	parsed = parsed.Unmap().WithZone("")
	if parsed.Is4() {
		return parsed.String()
	}
	prefix, err := parsed.Prefix(64)
	if err != nil {
		return address
	}
	return prefix.Masked().String()
}
