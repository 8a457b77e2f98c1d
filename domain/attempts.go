package domain

import (
	"net/netip"
	"strconv"
	"time"
)

// RateLimits say how many wrong credentials are free, and what the next ones cost.
type RateLimits struct {
	// FreePerAccount wrong credentials for one account cost nothing within the window; an address has FreePerAddress.
	FreePerAccount int
	FreePerAddress int
}

// AttemptWindow without an attempt forgets the wrong ones before it.
const AttemptWindow = 15 * time.Minute

const (
	firstPause   = 30 * time.Second
	longestPause = 24 * time.Hour
	// addressFactor is how many accounts' worth of free attempts one address has: many people may sit behind it.
	addressFactor = 40
)

// KnownAddressTTL is how long an address that signed in for an account has a counter of its own for it, so that
// strangers who guess do not lock out whoever signs in from the usual place.
const KnownAddressTTL = 30 * 24 * time.Hour

// NewRateLimits makes the rules from the number of attempts that are free per account.
func NewRateLimits(freePerAccount int) RateLimits {
	return RateLimits{FreePerAccount: freePerAccount, FreePerAddress: addressFactor * freePerAccount}
}

// Attempts is the count of wrong credentials under one key: an account, an address, an account from a known address.
type Attempts struct {
	Failures     int
	LastAt       time.Time
	BlockedUntil time.Time
	// Reported: that this key is blocked was put on record already.
	Reported bool
}

// Blocked returns how long the next attempt has to wait; 0 when it may come.
func (a Attempts) Blocked(now time.Time) time.Duration {
	return max(0, a.BlockedUntil.Sub(now))
}

// Reserve counts an attempt before it is known to be wrong, so that many at once cannot all be free. After the free ones
// each costs twice the pause of the one before. A window without any forgets them all.
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
		a.BlockedUntil = now.Add(pauseAfter(over))
	}
	return a
}

func pauseAfter(over int) time.Duration {
	pause := firstPause
	for range over {
		if pause *= 2; pause >= longestPause {
			return longestPause
		}
	}
	return pause
}

// Release takes the attempt back that was reserved at that time: it was not wrong, or never made. The pause that it
// brought is over, unless another attempt was reserved since that has one of its own.
func (a Attempts) Release(reservedAt time.Time, free int) Attempts {
	a.Failures = max(0, a.Failures-1)
	if a.Failures < free || a.LastAt.Equal(reservedAt) {
		a.BlockedUntil = time.Time{}
	}
	return a
}

// TooManyAttempts is the refusal of an attempt that has to wait.
func TooManyAttempts(wait time.Duration) *Error {
	seconds := int((wait + time.Second - 1) / time.Second)
	refusal := Refuse(RateLimited, "throttled",
		"too many wrong attempts; try again in "+strconv.Itoa(seconds)+" seconds")
	refusal.RetryAfter = time.Duration(seconds) * time.Second
	return refusal
}

// AddressGroup returns what an address is counted as: an IPv4 address as itself, an IPv6 address as its /64, since
// whoever has one has them all. What is no address is counted as it is written.
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
