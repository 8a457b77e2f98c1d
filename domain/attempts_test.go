package domain

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// TestLockouts verifies that the first lockout lasts 30 seconds, and that each later lockout lasts twice as long as the
// previous one, up to one day.
func TestLockouts(t *testing.T) {
	t.Parallel()
	const free = 5
	var attempts Attempts
	now := noon
	for i := range 25 {
		require.Zero(t, attempts.Blocked(now), i)
		attempts = attempts.Reserve(now, free)
		want := time.Duration(0)
		if over := i + 1 - free; over >= 0 {
			want = min(30*time.Second<<over, 24*time.Hour)
		}
		require.Equal(t, want, attempts.Blocked(now), i)
		now = now.Add(want)
	}
	require.Equal(t, 25, attempts.Failures)
	later := now.Add(AttemptWindow + time.Second)
	require.Equal(t, 1, attempts.Reserve(later, free).Failures, "after a window without attempts the count begins anew")
	require.Equal(t, 26, attempts.Reserve(now.Add(AttemptWindow), free).Failures)
}

// TestLimits verifies the lockouts of each limit. Attempts from unknown addresses lock an account out for at most an
// hour at a time. When the attempts within a month reach the monthly limit, this attempt and each later one lock the
// account out for exactly an hour.
func TestLimits(t *testing.T) {
	t.Parallel()
	limits := NewRateLimits(5)
	for name, test := range map[string]struct {
		limit           Limit
		free            int
		first, longest  time.Duration
		remembered, not time.Duration
	}{
		"address": {NewLimit(limits.FreePerAddress), 200, 30 * time.Second, 24 * time.Hour, 15 * time.Minute,
			15*time.Minute + time.Second},
		"account": {limits.Account(), 5, 30 * time.Second, time.Hour, 15 * time.Minute, 15*time.Minute + time.Second},
		"month":   {limits.Month(), 50, time.Hour, time.Hour, 30 * 24 * time.Hour, 30*24*time.Hour + time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var attempts Attempts
			now := noon
			for range test.free - 1 {
				attempts = attempts.ReserveUnder(now, test.limit)
				require.Zero(t, attempts.Blocked(now))
			}
			attempts = attempts.ReserveUnder(now, test.limit)
			require.Equal(t, test.first, attempts.Blocked(now))
			for range 20 {
				now = now.Add(attempts.Blocked(now))
				attempts = attempts.ReserveUnder(now, test.limit)
			}
			require.Equal(t, test.longest, attempts.Blocked(now))
			end := attempts.BlockedUntil
			require.Equal(t, test.free+21, attempts.ReserveUnder(end.Add(test.remembered), test.limit).Failures)
			require.Equal(t, 1, attempts.ReserveUnder(end.Add(test.not), test.limit).Failures)
		})
	}
}

// TestRelease verifies that a released attempt does not count. If the attempt caused a lockout, the release must end
// this lockout.
func TestRelease(t *testing.T) {
	t.Parallel()
	const free = 3
	attempts := Attempts{}.Reserve(noon, free).Reserve(noon, free).Reserve(noon, free)
	require.Positive(t, attempts.Blocked(noon))
	require.Zero(t, attempts.Release(noon, free).Blocked(noon), "fewer attempts than are free cause no lockout")

	over := Attempts{Failures: 7, LastAt: noon.Add(-time.Hour / 10), BlockedUntil: noon.Add(-time.Minute)}
	mine := over.Reserve(noon, free)
	require.Positive(t, mine.Blocked(noon))
	back := mine.Release(noon, free)
	require.Zero(t, back.Blocked(noon), "the lockout of the attempt ends")
	require.Equal(t, 7, back.Failures, "earlier attempts still count")

	second := noon.Add(10 * time.Minute)
	theirs := mine.Reserve(second, free)
	require.Positive(t, theirs.Release(noon, free).Blocked(second), "the lockout of another attempt stays")
	require.Zero(t, Attempts{}.Release(noon, free).Failures)
}

func TestAddressGroup(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"192.0.2.7": "192.0.2.7", "::ffff:192.0.2.7": "192.0.2.7", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
		"fe80::1%eth0": "fe80::/64", "pipe": "pipe", "": "",
	} {
		require.Equal(t, want, AddressGroup(address), address)
	}
}

func TestTooManyAttempts(t *testing.T) {
	t.Parallel()
	refusal := TooManyAttempts(29*time.Second + time.Millisecond)
	require.ErrorIs(t, refusal, RateLimited)
	require.Equal(t, 30*time.Second, refusal.RetryAfter)
}
