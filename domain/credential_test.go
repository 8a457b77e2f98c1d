package domain_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
)

func TestAuthenticateCaller(t *testing.T) {
	t.Parallel()
	changed := func(change func(*domain.Caller)) domain.Caller {
		caller := user
		change(&caller)
		return caller
	}
	require.NoError(t, user.Authenticate(now))
	require.NoError(t, changed(func(c *domain.Caller) { c.ExpiresAt = now.Add(1) }).Authenticate(now))
	for name, caller := range map[string]domain.Caller{
		"unknown":      {},
		"inactive":     changed(func(c *domain.Caller) { c.Active = false }),
		"expired":      changed(func(c *domain.Caller) { c.ExpiresAt = now.Add(-1) }),
		"expiring now": changed(func(c *domain.Caller) { c.ExpiresAt = now }),
		"without id":   changed(func(c *domain.Caller) { c.UserID = domain.UserID{} }),
	} {
		err := caller.Authenticate(now)
		require.Equal(t, domain.ErrUnauthenticated.Code, domain.CodeOf(err), name)
		require.Equal(t, strings.HasPrefix(name, "expir"), errors.Is(err, domain.ErrCredentialExpired), name)
	}
}

// TestCapAPIKeyExpiry verifies that a caller with an expiring API key can create only API keys that expire no later
// than that key. A session sets no limit.
func TestCapAPIKeyExpiry(t *testing.T) {
	t.Parallel()
	never, soon, later := time.Time{}, now.Add(time.Hour), now.Add(2*time.Hour)
	for _, test := range []struct {
		kind                   domain.CredentialKind
		maker, requested, want time.Time
	}{
		{domain.APIKeyCredential, never, never, never},
		{domain.APIKeyCredential, never, later, later},
		{domain.APIKeyCredential, soon, never, soon},
		{domain.APIKeyCredential, soon, later, soon},
		{domain.APIKeyCredential, soon, soon, soon},
		{domain.APIKeyCredential, later, soon, soon},
		{domain.SessionCredential, soon, never, never},
		{domain.SessionCredential, soon, later, later},
	} {
		maker := domain.Caller{Credential: domain.Credential{Kind: test.kind}, ExpiresAt: test.maker}
		require.Equal(t, test.want, domain.CapAPIKeyExpiry(test.requested, maker), "%+v", test)
	}
}

// TestHasExpiringAPIKey verifies that a session does not count as an expiring API key, although sessions expire.
func TestHasExpiringAPIKey(t *testing.T) {
	t.Parallel()
	require.True(t, domain.Caller{Credential: domain.Credential{Kind: domain.APIKeyCredential},
		ExpiresAt: now}.HasExpiringAPIKey())
	require.False(t, domain.Caller{Credential: domain.Credential{Kind: domain.APIKeyCredential}}.HasExpiringAPIKey())
	require.False(t, domain.Caller{Credential: domain.Credential{Kind: domain.SessionCredential},
		ExpiresAt: now}.HasExpiringAPIKey())
}

func TestAPIKeyQuota(t *testing.T) {
	t.Parallel()
	require.NoError(t, domain.CheckAPIKeyQuota(domain.MaxAPIKeysPerUser-1))
	requireRefusal(t, domain.CheckAPIKeyQuota(domain.MaxAPIKeysPerUser), domain.Conflict, "limit_reached", "")
}

func TestCheckRevocable(t *testing.T) {
	t.Parallel()
	one, two, unknown := domain.CredentialID{1}, domain.CredentialID{2}, domain.CredentialID{9}
	usable := func(id domain.CredentialID) domain.APIKey { return domain.APIKey{ID: id, ExpiresAt: now.Add(1)} }
	expired := func(id domain.CredentialID) domain.APIKey { return domain.APIKey{ID: id, ExpiresAt: now} }
	for name, test := range map[string]struct {
		key  domain.CredentialID
		keys []domain.APIKey
		want error
	}{
		"the only one":                        {one, []domain.APIKey{usable(one)}, domain.ErrLastAPIKey},
		"the only one, never expiring":        {one, []domain.APIKey{{ID: one}}, domain.ErrLastAPIKey},
		"the only usable one":                 {one, []domain.APIKey{usable(one), expired(two)}, domain.ErrLastAPIKey},
		"one of two":                          {one, []domain.APIKey{usable(one), usable(two)}, nil},
		"an expired one besides the last":     {two, []domain.APIKey{usable(one), expired(two)}, nil},
		"an expired one where none is usable": {one, []domain.APIKey{expired(one)}, nil},
		"an unknown one":                      {unknown, []domain.APIKey{usable(one)}, nil},
		"an unknown one where there is none":  {unknown, nil, nil},
		"the last usable one, never expiring": {two, []domain.APIKey{expired(one), {ID: two}}, domain.ErrLastAPIKey},
	} {
		err := domain.CheckRevocable(test.key, test.keys, now)
		if test.want == nil {
			require.NoError(t, err, name)
		} else {
			require.ErrorIs(t, err, test.want, name)
		}
	}
}

func TestCheckAPIKeyRevoker(t *testing.T) {
	t.Parallel()
	require.NoError(t, domain.CheckAPIKeyRevoker(user, userOf(user)))
	require.NoError(t, domain.CheckAPIKeyRevoker(admin, userOf(user)))
	require.NoError(t, domain.CheckAPIKeyRevoker(owner, userOf(admin)))
	require.NoError(t, domain.CheckAPIKeyRevoker(owner, userOf(owner)))
	require.ErrorIs(t, domain.CheckAPIKeyRevoker(admin, userOf(owner)), domain.ErrOwnerProtected)
	require.ErrorIs(t, domain.CheckAPIKeyRevoker(user, userOf(owner)), domain.ErrAPIKeyNotFound,
		"the refusal does not tell that the key exists")
	require.ErrorIs(t, domain.CheckAPIKeyRevoker(user, userOf(admin)), domain.ErrAPIKeyNotFound)
}

func TestAPIKeyNames(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"", "CI", "laptop of Zoë 🙂", "❤️", strings.Repeat("ü", 100)} {
		got, err := domain.ParseAPIKeyName(good)
		require.NoError(t, err)
		require.Equal(t, good, got)
	}
	for _, bad := range []string{strings.Repeat("x", 101), "a\nb", "\x00", "\t", "\x1b[31m", "\x7f", "\u0085",
		"\u009b31m", "a\xff", "\ufffd", "a\u202eb", "\u2066",
		"a\u200bb", "\ufeff", "\u00ad", "a\u3164", "\u2800", "\u115f",
		"\ufe00", "\U000e0041", "\U000e0100"} {
		_, err := domain.ParseAPIKeyName(bad)
		requireRefusal(t, err, domain.Invalid, "invalid_name", "name")
	}
}

// TestNewSession verifies that a session has the user's epoch and expires at a whole second, because tokens hold
// whole seconds.
func TestNewSession(t *testing.T) {
	t.Parallel()
	begin := now.Add(700 * time.Millisecond)
	session := domain.NewSession(domain.CredentialID{5}, userOf(user), begin, time.Hour)
	require.Equal(t, domain.Session{
		ID:        domain.CredentialID{5},
		User:      userID,
		Epoch:     7,
		CreatedAt: begin,
		ExpiresAt: now.Add(time.Hour),
	}, session)
}
