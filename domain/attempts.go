package domain

import (
	"net/netip"
	"strconv"
	"time"
)

// RateLimits are the numbers of attempts with wrong credentials before the first lockout.
type RateLimits struct {
	// FreePerAccount limits the attempts to sign in to one account, FreePerAddress those from one address.
	FreePerAccount int
	FreePerAddress int
}

// AttemptWindow is the time without attempts, and without a lockout, after which earlier attempts no longer count.
const AttemptWindow = 15 * time.Minute

const (
	firstLockout   = 30 * time.Second
	longestLockout = 24 * time.Hour
	// addressFactor is how many times more attempts are free for an address than for an account, because many people
	// may share an address.
	addressFactor = 40
)

// KnownAddressTTL is how long an address that signed in to an account has a counter of its own for it, so that
// strangers who guess do not lock out the account's owner at the usual address.
const KnownAddressTTL = 30 * 24 * time.Hour

// NewRateLimits derives the limits from the number of attempts that are free for an account.
func NewRateLimits(freePerAccount int) RateLimits {
	return RateLimits{FreePerAccount: freePerAccount, FreePerAddress: addressFactor * freePerAccount}
}

// Attempts is the counter of wrong credentials under one key: an account, an address, or an account from a known
// address.
type Attempts struct {
	Failures     int
	LastAt       time.Time
	BlockedUntil time.Time
	// Reported is true once the audit event of the lockout is written.
	Reported bool
}

// Blocked returns how long the lockout lasts from now; 0 without one.
func (a Attempts) Blocked(now time.Time) time.Duration {
	return max(0, a.BlockedUntil.Sub(now))
}

// Reserve counts an attempt before it is known to be wrong, so that many attempts at once cannot all be free. The last
// free attempt causes the first lockout, and each attempt after it one that is twice as long. After an AttemptWindow
// without attempts the count begins anew.
func (a Attempts) Reserve(now time.Time, free int) Attempts {
	quietSince := a.LastAt
	if a.BlockedUntil.After(quietSince) {
		quietSince = a.BlockedUntil
	}
	if now.Sub(quietSince) > AttemptWindow {
		a = Attempts{}
	}
	a.Failures++
	a.LastAt, a.Reported = now, false
	if over := a.Failures - free; over >= 0 {
		a.BlockedUntil = now.Add(lockoutAfter(over))
	}
	return a
}

// lockoutAfter returns the lockout of the attempt that is the over-th after the first one that caused a lockout.
func lockoutAfter(over int) time.Duration {
	lockout := firstLockout
	for range over {
		if lockout *= 2; lockout >= longestLockout {
			return longestLockout
		}
	}
	return lockout
}

// Release undoes the attempt that was reserved at that time, because it was not wrong or never made. Its lockout ends,
// unless another attempt that was reserved since has caused one.
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

// AddressGroup returns the group under which attempts from an address are counted. It is the address for IPv4, and the
// /64 network for IPv6, because a client that has one address of a /64 usually has them all. A text that is not an
// address is a group of its own.
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
