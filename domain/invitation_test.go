package domain_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
)

// TestInvitationCode verifies that a code is accepted only in the exact text form that String returns.
func TestInvitationCode(t *testing.T) {
	t.Parallel()
	code := domain.NewInvitationCode(domain.InvitationID{1, 2, 3})
	text := code.String()
	require.Len(t, text, 64)
	parsed, ok := domain.ParseInvitationCode(text)
	require.True(t, ok)
	require.Equal(t, code, parsed)
	require.NotEqual(t, code.Secret, domain.NewInvitationCode(code.ID).Secret)
	for _, wrong := range []string{"", text[1:], text + "A", text + "=", " " + text, text + "\n",
		text[:32] + "\n" + text[32:], strings.Repeat("!", 64)} {
		_, ok := domain.ParseInvitationCode(wrong)
		require.False(t, ok, "%q", wrong)
	}
}

// TestInvitationTerms verifies that the terms of an invitation cover everything that the invitation grants.
func TestInvitationTerms(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
	code := domain.NewInvitationCode(domain.InvitationID{1})
	first := domain.Invitation{
		ID:        code.ID,
		Name:      "anna",
		Spelling:  "Anna",
		Role:      domain.RoleUser,
		Inviter:   domain.UserID{2},
		ExpiresAt: now,
	}
	for name, change := range map[string]func(*domain.Invitation){
		"id":       func(i *domain.Invitation) { i.ID = domain.InvitationID{9} },
		"name":     func(i *domain.Invitation) { i.Name = "boris" },
		"spelling": func(i *domain.Invitation) { i.Spelling = "ANNA" },
		"role":     func(i *domain.Invitation) { i.Role = domain.RoleAdmin },
		"inviter":  func(i *domain.Invitation) { i.Inviter = domain.UserID{9} },
		"expiry":   func(i *domain.Invitation) { i.ExpiresAt = now.Add(time.Microsecond) },
	} {
		changed := first
		change(&changed)
		require.NotEqual(t, first.Terms(code), changed.Terms(code), name)
	}
	require.NotEqual(t, first.Terms(code), first.Terms(domain.NewInvitationCode(code.ID)), "another secret")
}

func TestInvitationAcceptable(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
	inviter := domain.NewUser(domain.UserID{1}, "root", domain.RoleAdmin, now)
	open := domain.Invitation{Inviter: inviter.ID, ExpiresAt: now.Add(time.Second)}
	require.NoError(t, open.CheckAcceptable(inviter, now))
	for name, refused := range map[string]struct {
		change func(*domain.User)
		at     time.Time
	}{
		"expired":               {func(*domain.User) {}, now.Add(time.Second)},
		"inviter inactive":      {func(u *domain.User) { u.Active = false }, now},
		"inviter demoted":       {func(u *domain.User) { u.Role = domain.RoleUser }, now},
		"inviter deleted":       {func(u *domain.User) { *u = domain.User{} }, now},
		"inviter is a namesake": {func(u *domain.User) { u.ID = domain.UserID{2} }, now},
	} {
		changed := inviter
		refused.change(&changed)
		require.ErrorIs(t, open.CheckAcceptable(changed, refused.at), domain.ErrInvitationInvalid, name)
	}
}

func TestInvitationExpiry(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 15, 4, 5, 600_000, time.UTC)
	for text, want := range map[string]time.Duration{
		"":           7 * 24 * time.Hour,
		"01:00":      time.Hour + time.Second, // rounded up
		"P30D":       30*24*time.Hour + time.Second,
		"30:0:00:00": 30*24*time.Hour + time.Second,
	} {
		expiry, err := domain.ParseInvitationExpiry(text, now)
		require.NoError(t, err, text)
		require.Equal(t, now.Truncate(time.Second).Add(want), expiry, text)
	}
	for _, text := range []string{"P31D", "30:0:00:02", "2025-01-01T00:00:00Z", "never", "0:0:0:0"} {
		_, err := domain.ParseInvitationExpiry(text, now)
		require.ErrorIs(t, err, domain.Invalid, text)
		require.Equal(t, "invalid_expiry", domain.CodeOf(err), text)
	}
}

func TestInvitationQuota(t *testing.T) {
	t.Parallel()
	require.NoError(t, domain.CheckInvitationQuota(0))
	require.NoError(t, domain.CheckInvitationQuota(domain.MaxInvitations-1))
	require.Equal(t, "limit_reached", domain.CodeOf(domain.CheckInvitationQuota(domain.MaxInvitations)))
}
