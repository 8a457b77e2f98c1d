package identity_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/identity"
	"github.com/lockbox-go/lockbox/tests/usecases"
)

// refresh exchanges a refresh token for the next pair.
func (f fixture) refresh(token domain.OpaqueToken) (identity.TokenPair, error) {
	return f.service.Accounts().Refresh(f.ctx, usecases.From(home), token.String())
}

// TestRefresh verifies that a refresh revokes the earlier pair immediately.
func TestRefresh(t *testing.T) {
	t.Parallel()
	f := open(t)
	first := f.pair("anna", f.member("anna", "viewer"))
	require.True(t, f.authenticates(f.access(first.Access)))
	second, err := f.refresh(first.Refresh)
	require.NoError(t, err)
	require.Equal(t, 2*time.Hour, second.ExpiresIn)
	require.False(t, f.authenticates(f.access(first.Access)))
	require.True(t, f.authenticates(f.access(second.Access)))
}

// TestRefreshReuse verifies that the second use of a refresh token revokes the whole family of the token, but no other
// family.
func TestRefreshReuse(t *testing.T) {
	t.Parallel()
	f := open(t)
	secret := f.member("anna", "viewer")
	first, other := f.pair("anna", secret), f.pair("anna", secret)
	second, err := f.refresh(first.Refresh)
	require.NoError(t, err)
	_, err = f.refresh(first.Refresh)
	require.ErrorIs(t, err, domain.ErrRefreshToken)
	require.False(t, f.authenticates(f.access(second.Access)))
	_, err = f.refresh(second.Refresh)
	require.ErrorIs(t, err, domain.ErrRefreshToken)
	require.True(t, f.authenticates(f.access(other.Access)))
	require.Equal(t, []string{"anna success -", "anna denied -"}, f.Audited(t, domain.ActionRefresh))
}

// TestRefreshAtOnce sends two concurrent requests with the same refresh token. Exactly one of them must return the next
// pair.
func TestRefreshAtOnce(t *testing.T) {
	t.Parallel()
	f := open(t)
	first := f.pair("anna", f.member("anna", "viewer"))
	refresh := func() error {
		_, err := f.refresh(first.Refresh)
		return err
	}
	requireOneRefused(t, atOnce(refresh, refresh), domain.ErrRefreshToken)
}

// TestRefreshEnds verifies that a refresh fails after the family expires or the user's sessions are revoked.
func TestRefreshEnds(t *testing.T) {
	t.Parallel()
	f := open(t)
	secret := f.member("anna", "viewer")
	old := f.pair("anna", secret)
	f.Clock.Advance(23 * time.Hour)
	last, err := f.refresh(old.Refresh)
	require.NoError(t, err)
	require.LessOrEqual(t, last.ExpiresIn, time.Hour, "the access token does not outlive the family")
	f.Clock.Advance(time.Hour)
	_, err = f.refresh(last.Refresh)
	require.ErrorIs(t, err, domain.ErrRefreshToken)

	fresh := f.pair("anna", secret)
	require.NoError(t, f.service.Accounts().RevokeSessions(f.ctx, f.owner, "anna"))
	require.False(t, f.authenticates(f.access(fresh.Access)))
	_, err = f.refresh(fresh.Refresh)
	require.ErrorIs(t, err, domain.ErrRefreshToken)
}

// TestRefreshUnknown verifies that each use of an unknown token is audited, and that too many of them lock out the
// address. A valid token is accepted even during this lockout.
func TestRefreshUnknown(t *testing.T) {
	t.Parallel()
	f := openWith(t, 1)
	known := f.pair("anna", f.member("anna", "viewer"))
	for range 40 { // the free attempts of an address
		_, err := f.refresh(domain.OpaqueToken{1})
		require.ErrorIs(t, err, domain.ErrRefreshToken)
	}
	_, err := f.refresh(domain.OpaqueToken{1})
	require.ErrorIs(t, err, domain.RateLimited)
	_, err = f.refresh(known.Refresh)
	require.NoError(t, err)
	audited := f.Audited(t, domain.ActionRefresh)
	require.Equal(t, []string{"- denied -", "- throttled -", "anna success -"}, audited[39:])
}

// TestRevokeOwnSessions verifies that RevokeSessions accepts a refresh token, but only to revoke the sessions of its
// own user.
func TestRevokeOwnSessions(t *testing.T) {
	t.Parallel()
	f := open(t)
	anna, bert := f.pair("anna", f.member("anna", "viewer")), f.pair("bert", f.member("bert", "viewer"))
	accounts := f.service.Accounts()
	require.ErrorIs(t, accounts.RevokeSessions(f.ctx, f.access(anna.Refresh), "bert"), domain.ErrRevokeOthers)
	require.NoError(t, accounts.RevokeSessions(f.ctx, f.access(anna.Refresh), "anna"))
	require.False(t, f.authenticates(f.access(anna.Access)))
	require.True(t, f.authenticates(f.access(bert.Access)))
}
