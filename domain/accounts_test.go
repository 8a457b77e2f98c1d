package domain

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestGroups(t *testing.T) {
	t.Parallel()
	ladder := []Group{{}, GroupViewer, GroupManager, GroupOwner}
	for i, group := range ladder {
		for j, other := range ladder {
			require.Equal(t, i >= j, group.Includes(other), "%q includes %q", group, other)
		}
	}
	for _, text := range []string{"viewer", "Manager", "OWNER"} {
		group, err := ParseGroup(text)
		require.NoError(t, err)
		require.Equal(t, strings.ToLower(text), group.String())
	}
	for _, text := range []string{"", "none", "admin"} {
		_, err := ParseGroup(text)
		require.ErrorIs(t, err, ErrUnknownGroup)
	}
	none, err := ParseGroupChange("None")
	require.NoError(t, err)
	require.Zero(t, none)
}

func TestOpaqueTokens(t *testing.T) {
	t.Parallel()
	token := OpaqueToken{1, 0xab}
	read, ok := ParseOpaqueToken(token.String())
	require.True(t, ok)
	require.Equal(t, token, read)
	require.Equal(t, UserID(token[:16]), token.User())
	first, second := NewOpaqueToken(UserID{7}), NewOpaqueToken(UserID{7})
	require.Equal(t, UserID{7}, first.User())
	require.NotEqual(t, first, second)
	for _, text := range []string{"", token.String()[1:], token.String() + "0", strings.ToUpper(token.String()),
		"g" + token.String()[1:]} {
		_, ok := ParseOpaqueToken(text)
		require.False(t, ok, text)
	}
}

// TestNextPair verifies that the lifetime of an access token is a whole number of seconds, and that no access token
// outlives its token family.
func TestNextPair(t *testing.T) {
	t.Parallel()
	user := User{ID: UserID{1}, Active: true, SessionEpoch: 3}
	family := NewTokenFamily(FamilyID{2}, user, noon, 3*time.Hour)
	pair := func(user User, family TokenFamily, at time.Time) (time.Duration, error) {
		next, err := family.NextPair(TokenPair{}, user, TokenKeys{}, at, 2*time.Hour)
		return next.Life(), err
	}
	life, err := pair(user, family, noon)
	require.NoError(t, err)
	require.Equal(t, 2*time.Hour, life)
	life, err = pair(user, family, noon.Add(2*time.Hour+100*time.Millisecond))
	require.NoError(t, err)
	require.Equal(t, time.Hour-time.Second, life)
	revoked, moved, inactive := family, user, user
	revoked.RevokedAt, moved.SessionEpoch, inactive.Active = noon, 4, false
	for _, each := range []struct {
		user   User
		family TokenFamily
		at     time.Time
	}{{user, family, noon.Add(3 * time.Hour)}, {user, revoked, noon}, {moved, family, noon}, {inactive, family, noon},
		{User{ID: UserID{9}, Active: true, SessionEpoch: 3}, family, noon}} {
		_, err := pair(each.user, each.family, each.at)
		require.ErrorIs(t, err, ErrRefreshToken)
	}
}

func TestRecoveryCodes(t *testing.T) {
	t.Parallel()
	codes := NewRecoveryCodes()
	require.Len(t, codes, RecoveryCodes)
	text := codes[0].String()
	require.Regexp(t, `^[A-Z2-7]{6}(-[A-Z2-7]{6}){3}$`, text)
	for _, spelling := range []string{text, strings.ToLower(text), strings.ReplaceAll(text, "-", ""),
		strings.ReplaceAll(text, "-", " ")} {
		read, ok := ParseRecoveryCode(spelling)
		require.True(t, ok, spelling)
		require.Equal(t, codes[0], read)
	}
	require.NotEqual(t, codes[0].Hash(), codes[1].Hash())
	for _, text := range []string{"", "123456", text[1:], text + "A", strings.Replace(text, text[:1], "1", 1)} {
		_, ok := ParseRecoveryCode(text)
		require.False(t, ok, text)
	}
}

// TestTakeOver verifies that a handover leaves exactly one owner, and that the former owner stays an admin and becomes
// a manager.
func TestTakeOver(t *testing.T) {
	t.Parallel()
	former := User{
		ID:     UserID{1},
		Role:   RoleAdmin,
		Active: true,
		Owner:  true,
		Group:  GroupOwner,
	}
	next := User{ID: UserID{2}, Role: RoleUser, Active: true}
	inactive := User{ID: UserID{3}, Role: RoleAdmin}
	require.ErrorIs(t, inactive.TakeOver(&former, noon), ErrNewOwnerInactive)
	require.True(t, former.Owner)
	require.NoError(t, next.TakeOver(&former, noon))
	require.True(t, next.Owner && next.Role == RoleAdmin && next.Group == GroupOwner)
	require.True(t, !former.Owner && former.Role == RoleAdmin && former.Group == GroupManager)
}

func TestShowable(t *testing.T) {
	t.Parallel()
	require.NoError(t, TOTPSecret{}.Showable())
	require.ErrorIs(t, TOTPSecret{Own: true}.Showable(), ErrSecretHidden)
	require.ErrorIs(t, TOTPSecret{ConfirmedAt: noon}.Showable(), ErrSecretHidden)
}
