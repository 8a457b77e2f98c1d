package domain_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
)

func TestRoles(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]domain.Role{"user": domain.RoleUser, "USER": domain.RoleUser,
		"admin": domain.RoleAdmin, "aDmIn": domain.RoleAdmin} {
		got, err := domain.ParseRole(text)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, text := range []string{"", " user", "users", "owner", "boxuser", "boxadmin", "\x00"} {
		_, err := domain.ParseRole(text)
		requireRefusal(t, err, domain.Invalid, "unknown_role", "role")
	}
	require.Equal(t, "admin", domain.RoleAdmin.String())
	require.Empty(t, domain.Role{}.String())
}

func TestBoxRoles(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]domain.BoxRole{"boxuser": domain.BoxRoleUser, "BoxUser": domain.BoxRoleUser,
		"boxadmin": domain.BoxRoleAdmin, "BOXADMIN": domain.BoxRoleAdmin} {
		got, err := domain.ParseBoxRole(text)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, text := range []string{"", "boxadmin ", "admin", "user", "box"} {
		_, err := domain.ParseBoxRole(text)
		requireRefusal(t, err, domain.Invalid, "unknown_role", "role")
	}
	require.Equal(t, "boxadmin", domain.BoxRoleAdmin.String())
}

func TestPermissions(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		names []string
		want  domain.Permissions
		shown []string
	}{
		{nil, domain.NoPermissions, []string{}},
		{[]string{}, domain.NoPermissions, []string{}},
		{[]string{"readEntry"}, domain.ReadEntry, []string{"readEntry"}},
		{[]string{"DELETEENTRY", "readentrykeys"}, domain.DeleteEntry | domain.ReadEntryKeys,
			[]string{"readEntryKeys", "deleteEntry"}},
		{[]string{"createEntry", "createEntry"}, domain.CreateEntry, []string{"createEntry"}},
		{[]string{"deleteEntry", "createEntry", "readEntry", "readEntryKeys"}, domain.AllPermissions,
			[]string{"readEntryKeys", "readEntry", "createEntry", "deleteEntry"}},
	} {
		got, err := domain.ParsePermissions(test.names)
		require.NoError(t, err)
		require.Equal(t, test.want, got)
		require.Equal(t, test.shown, got.Names())
	}
	for _, names := range [][]string{{""}, {"readEntry", "all"}, {"read"}, {"readEntry "}, {"readEntry,createEntry"}} {
		got, err := domain.ParsePermissions(names)
		requireRefusal(t, err, domain.Invalid, "unknown_permission", "permissions")
		require.Equal(t, domain.NoPermissions, got)
	}
}

func TestHave(t *testing.T) {
	t.Parallel()
	const both = domain.CreateEntry | domain.ReadEntry
	require.True(t, domain.AllPermissions.Have(both))
	require.True(t, both.Have(domain.ReadEntry))
	require.True(t, both.Have(domain.NoPermissions))
	require.False(t, domain.ReadEntry.Have(both), "all that is wanted, not some of it")
	require.False(t, domain.NoPermissions.Have(domain.ReadEntry))
	require.Equal(t, domain.ReadEntryKeys|domain.ReadEntry, domain.DefaultPermissions)
}

func TestKeyPurposes(t *testing.T) {
	t.Parallel()
	for _, purpose := range domain.KeyPurposes() {
		got, err := domain.ParseKeyPurpose(string(purpose))
		require.NoError(t, err)
		require.Equal(t, purpose, got)
	}
	for _, text := range []string{"", "ENTRY", "api_key", "all"} {
		_, err := domain.ParseKeyPurpose(text)
		requireRefusal(t, err, domain.Invalid, "unknown_key_purpose", "purpose")
	}
}
