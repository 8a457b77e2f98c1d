package gate_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/gate"
	"github.com/lockbox-go/lockbox/ports"
	"github.com/lockbox-go/lockbox/tests/usecases"
)

const (
	home     = "203.0.113.9"
	stranger = "198.51.100.7"
)

// fixture is a gate that allows three attempts before a lockout.
type fixture struct {
	*usecases.Parts
	t *testing.T
}

func open(t *testing.T) fixture {
	t.Helper()
	return fixture{usecases.Open(t, 3), t}
}

// reserve counts a sign-in attempt and returns the duration of the lockout. The duration is 0 if the attempt is
// allowed.
func (f fixture) reserve(address, username string) (gate.Attempt, time.Duration) {
	f.t.Helper()
	attempt, err := f.Gate.ReserveAccount(f.t.Context(), usecases.From(address), domain.ActionSignIn, username)
	return attempt, f.lockout(err)
}

func (f fixture) lockout(err error) time.Duration {
	f.t.Helper()
	if err == nil {
		return 0
	}
	require.ErrorIs(f.t, err, domain.RateLimited)
	var refusal *domain.Error
	require.ErrorAs(f.t, err, &refusal)
	return refusal.RetryAfter
}

// lockOut makes wrong attempts until the account is locked out.
func (f fixture) lockOut(address, username string) {
	f.t.Helper()
	for range 3 {
		_, wait := f.reserve(address, username)
		require.Zero(f.t, wait)
	}
	_, wait := f.reserve(address, username)
	require.Positive(f.t, wait)
}

// succeed makes an attempt with the right credential.
func (f fixture) succeed(address, username string) {
	f.t.Helper()
	attempt, wait := f.reserve(address, username)
	require.Zero(f.t, wait)
	require.NoError(f.t, f.Store.Do(f.t.Context(), func(ctx context.Context, repos ports.Repos) error {
		return f.Gate.Succeed(ctx, repos, attempt)
	}))
}

// TestReserveManyAtOnce verifies that the gate allows no more attempts than the limit, even if many attempts run
// concurrently.
func TestReserveManyAtOnce(t *testing.T) {
	t.Parallel()
	f := open(t)
	var allowed atomic.Int64
	var group sync.WaitGroup
	for i := range 12 {
		group.Go(func() {
			by := usecases.From(fmt.Sprint("10.0.0.", i))
			if _, err := f.Gate.ReserveAccount(t.Context(), by, domain.ActionSignIn, "anna"); err == nil {
				allowed.Add(1)
			}
		})
	}
	group.Wait()
	require.Equal(t, int64(3), allowed.Load())
}

// TestLockoutDoubles verifies that each wrong attempt after the first lockout doubles the lockout, and that every
// lockout expires without an unlock.
func TestLockoutDoubles(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.lockOut(stranger, "anna")
	for _, want := range []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute} {
		f.Clock.Advance(want)
		_, wait := f.reserve(stranger, "ANNA")
		require.Zero(t, wait, "the lockout is over")
		_, wait = f.reserve(stranger, "anna")
		require.Equal(t, want, wait)
	}
}

// TestStrangerCannotKeepLockedOut verifies that one address cannot keep an account locked out at other addresses.
// First, many wrong attempts from one address cause a lockout. After this lockout, the address makes one wrong attempt
// a day. These attempts must not cause a lockout at another address.
func TestStrangerCannotKeepLockedOut(t *testing.T) {
	t.Parallel()
	f := open(t)
	for wait := time.Duration(0); wait <= time.Hour; { // the stranger's own lockouts grow
		f.Clock.Advance(wait)
		_, wait = f.reserve(stranger, "anna")
	}
	_, wait := f.reserve(home, "anna")
	require.Positive(t, wait)
	require.LessOrEqual(t, wait, time.Hour)
	f.Clock.Advance(time.Hour)
	attempt, wait := f.reserve(home, "anna")
	require.Zero(t, wait, "an hour later, another address is free")
	f.Gate.Release(t.Context(), attempt)
	for range 40 {
		f.Clock.Advance(24 * time.Hour)
		f.reserve(stranger, "anna")
		f.Clock.Advance(time.Hour)
		attempt, wait := f.reserve(home, "anna")
		require.Zero(t, wait)
		f.Gate.Release(t.Context(), attempt)
	}
}

// TestPatientGuesser counts the guesses of an attacker who waits for the end of each window and has many addresses.
func TestPatientGuesser(t *testing.T) {
	t.Parallel()
	f := open(t)
	guesses, day := 0, 24*time.Hour
	end := f.Clock.Now().Add(3 * day)
	for i := 0; f.Clock.Now().Before(end); i++ {
		address := fmt.Sprintf("10.0.%d.%d", i/200, i%200)
		_, wait := f.reserve(address, "anna")
		if wait == 0 {
			guesses++
			// In each window, the attacker makes one attempt fewer than the limit.
			wait = map[bool]time.Duration{true: domain.AttemptWindow + time.Second}[guesses%2 == 0]
		}
		f.Clock.Advance(wait)
	}
	// If the limit of a window is 3, an account allows 30 attempts a month. After these, it allows the attacker one
	// attempt an hour.
	require.LessOrEqual(t, guesses, 30+3*24)
	require.Greater(t, guesses, 60)
}

// TestMonthIsNotReset verifies that a successful sign-in from an unknown address does not reset the counter for a
// month.
func TestMonthIsNotReset(t *testing.T) {
	t.Parallel()
	f := open(t)
	for i := range 30 {
		_, wait := f.reserve(fmt.Sprint("10.0.0.", i), "anna")
		require.Zero(t, wait)
		f.Clock.Advance(domain.AttemptWindow + time.Second)
	}
	f.Clock.Advance(time.Hour)
	f.succeed(home, "anna")
	_, wait := f.reserve("10.0.1.1", "anna")
	require.Zero(t, wait)
	_, wait = f.reserve("10.0.1.2", "anna")
	require.Equal(t, time.Hour, wait)
	_, wait = f.reserve(home, "anna")
	require.Zero(t, wait, "a known address is not affected")
}

// TestTwoFactorsDuringLockout verifies that an attempt with two factors is allowed during a lockout that strangers
// caused. Such an attempt must not extend the lockout, but must count for its own address.
func TestTwoFactorsDuringLockout(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.lockOut(stranger, "anna")
	_, before := f.reserve("10.0.0.1", "anna")
	reserve := func(address string) (gate.Attempt, time.Duration) {
		attempt, err := f.Gate.ReserveSignIn(t.Context(), usecases.From(address), "anna", true)
		return attempt, f.lockout(err)
	}
	for range 3 {
		attempt, wait := reserve(home)
		require.Zero(t, wait)
		require.True(t, attempt.Locked())
		require.Equal(t, before, f.lockout(attempt.Refusal()))
	}
	_, wait := reserve(home)
	require.Positive(t, wait, "three wrong attempts lock the pair of account and address out")
	_, wait = reserve(stranger)
	require.Positive(t, wait, "the address that caused the lockout has one of its own")
	_, wait = f.reserve("10.0.0.2", "anna")
	require.Equal(t, before, wait, "the lockout is not extended")
	attempt, err := f.Gate.ReserveSignIn(t.Context(), usecases.From("10.0.0.3"), "bert", true)
	require.NoError(t, err)
	require.False(t, attempt.Locked(), "without a lockout, it counts like any other")
}

// TestLockoutIsAuditedOnce verifies that a lockout has one audit event. The event names the account only if the
// account exists.
func TestLockoutIsAuditedOnce(t *testing.T) {
	t.Parallel()
	f := open(t)
	user := domain.NewUser(f.IDs.New(), "anna", domain.RoleUser, f.Clock.Now())
	require.NoError(t, f.Store.Do(t.Context(), func(ctx context.Context, repos ports.Repos) error {
		return repos.Users.Add(ctx, user, ports.SealedPassword{})
	}))
	for _, name := range []string{"anna", "ghost"} {
		f.lockOut(stranger, name)
		_, wait := f.reserve(home, name)
		require.Positive(t, wait)
	}
	require.Equal(t, []string{"- throttled anna", "- throttled -"}, f.Audited(t, domain.ActionSignIn))
}

// TestRelease verifies that a released attempt does not count, and that Release ends the lockout that the attempt
// caused.
func TestRelease(t *testing.T) {
	t.Parallel()
	f := open(t)
	for range 10 {
		attempt, wait := f.reserve(stranger, "anna")
		require.Zero(t, wait)
		f.Gate.Release(t.Context(), attempt)
	}
	f.lockOut(stranger, "anna")
}

// TestReleaseAfterDisconnect verifies that Release works after the client of the request has disconnected.
func TestReleaseAfterDisconnect(t *testing.T) {
	t.Parallel()
	f := open(t)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for range 4 {
		attempt, wait := f.reserve(stranger, "anna")
		require.Zero(t, wait)
		f.Gate.Release(cancelled, attempt)
	}
}

// TestSucceedResets verifies that a successful sign-in resets the counter of the account and keeps the counter of the
// address. Otherwise, attackers could reset the counter of their address by signing in to their own accounts.
func TestSucceedResets(t *testing.T) {
	t.Parallel()
	f := open(t)
	for range 2 {
		_, wait := f.reserve(stranger, "anna")
		require.Zero(t, wait)
	}
	f.succeed(stranger, "anna")
	for range 3 {
		_, wait := f.reserve(stranger, "anna")
		require.Zero(t, wait)
	}
	for i := range 115 { // 120 attempts are free for an address; five of them were wrong
		f.succeed(stranger, "own")
		_, wait := f.reserve(stranger, fmt.Sprint("other-", i))
		require.Zero(t, wait, i)
	}
	_, wait := f.reserve(stranger, "another")
	require.Positive(t, wait)
}

// TestKnownAddress verifies that the attempts from a known address have a separate counter until the address is no
// longer known. Guesses from other addresses do not lock the account out at the known address.
func TestKnownAddress(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.succeed(home, "anna")
	f.lockOut(stranger, "anna")
	f.lockOut(home, "anna")
	f.Clock.Advance(domain.KnownAddressTTL + time.Second)
	f.lockOut(stranger, "anna")
	_, wait := f.reserve(home, "anna")
	require.Positive(t, wait, "the address is no longer known")
}

// TestForwardingAddress verifies that the limit of a peer that forwards requests is 20 times the usual limit. The
// peer's own requests, which it does not forward, must count in a separate counter.
func TestForwardingAddress(t *testing.T) {
	t.Parallel()
	f := open(t)
	by := domain.Requester{Address: stranger, SharedAddress: true}
	for i := range 61 { // 3 attempts at initialization are free for an address
		_, err := f.Gate.ReserveInit(t.Context(), by)
		require.Equal(t, i == 60, f.lockout(err) > 0, i)
	}
	_, err := f.Gate.ReserveInit(t.Context(), usecases.From(stranger))
	require.NoError(t, err, "without forwarding it is another counter")
}

// TestUnlock verifies that unlocking an account ends its lockout at every address and keeps the lockouts of other
// accounts.
func TestUnlock(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.succeed(home, "anna")
	f.lockOut(home, "anna")
	f.lockOut(stranger, "anna")
	f.lockOut(stranger, "bert")
	require.NoError(t, f.Store.Do(t.Context(), func(ctx context.Context, repos ports.Repos) error {
		return f.Gate.Unlock(ctx, repos, "anna")
	}))
	for _, address := range []string{home, stranger} {
		_, wait := f.reserve(address, "anna")
		require.Zero(t, wait)
	}
	_, wait := f.reserve(stranger, "bert")
	require.Positive(t, wait)
}

// TestPassphrases verifies that wrong passphrases are counted for each pair of caller and box, and that a lockout has
// one audit event.
func TestPassphrases(t *testing.T) {
	t.Parallel()
	f := open(t)
	access := domain.Access{
		Caller: domain.Caller{UserID: f.IDs.New(), Name: "anna"},
		Box:    domain.Box{ID: f.IDs.New(), Name: "default"},
	}
	check := func(access domain.Access) time.Duration {
		return f.lockout(f.Gate.CheckPassphrase(t.Context(), usecases.From(home), access))
	}
	for range 3 {
		require.Zero(t, check(access))
		require.NoError(t, f.Gate.CountPassphrase(t.Context(), access))
	}
	require.Equal(t, 30*time.Second, check(access))
	require.Equal(t, 30*time.Second, check(access))
	require.Equal(t, []string{"anna throttled -"}, f.Audited(t, domain.ActionReadEntry))
	otherBox, otherCaller := access, access
	otherBox.Box.ID, otherCaller.Caller.UserID = f.IDs.New(), f.IDs.New()
	require.Zero(t, check(otherBox))
	require.Zero(t, check(otherCaller))
	f.Clock.Advance(30 * time.Second)
	require.Zero(t, check(access))
}
