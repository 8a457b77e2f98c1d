package vault_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/vault"
)

func TestBoxesOfOthersDoNotExist(t *testing.T) {
	t.Parallel()
	b := newBox(t, domain.NoPermissions)
	stranger := b.User("stranger", domain.Group{})
	for _, box := range []string{"box", "unknown", "", "not a name"} {
		_, err := b.Vault.DescribeBox(t.Context(), stranger, box)
		require.ErrorIs(t, err, domain.ErrBoxNotFound, box)
	}
	_, err := b.Vault.DescribeBox(t.Context(), domain.Requester{}, "box")
	require.ErrorIs(t, err, domain.ErrUnauthenticated)
}

func TestBoxLimits(t *testing.T) {
	t.Parallel()
	b := newBox(t, domain.NoPermissions, func(c *vault.Config) { c.MaxBoxesPerUser, c.MaxUsersPerBox = 1, 2 })
	_, err := b.Vault.CreateBox(t.Context(), b.owner, "second")
	require.Equal(t, "limit_reached", domain.CodeOf(err))
	b.User("third", domain.Group{})
	_, _, err = b.Vault.AddBoxUser(t.Context(), b.owner, vault.AddBoxUser{Box: "box", Username: "third"})
	require.Equal(t, "limit_reached", domain.CodeOf(err))
	users, err := b.Vault.ListBoxUsers(t.Context(), b.owner, "box")
	require.NoError(t, err)
	require.Len(t, users, 2, "the refusal rolled the insert back")
}

func TestTransferBox(t *testing.T) {
	t.Parallel()
	b := newBox(t, domain.NoPermissions)
	b.User("stranger", domain.Group{})
	transfer := func(to string) error {
		return b.Vault.TransferBox(t.Context(), b.owner, vault.TransferBox{Box: "box", NewOwner: to})
	}
	require.ErrorIs(t, transfer("stranger"), domain.ErrNewOwnerNotInBox)
	require.NoError(t, transfer("member"))
	require.NoError(t, b.Vault.AcceptBox(t.Context(), b.member, "box"))
	require.ErrorIs(t, transfer("owner"), domain.ErrBoxOwnerOnly, "the former owner is a member like others")
	described, err := b.Vault.DescribeBox(t.Context(), b.member, "box")
	require.NoError(t, err)
	require.Equal(t, domain.UserName("member"), described.Owner)
}

// TestMembershipUpdatesTheBox verifies that a change of the members of a box sets UpdatedAt of the box, and that a
// refused change does not set it.
func TestMembershipUpdatesTheBox(t *testing.T) {
	t.Parallel()
	b := newBox(t, domain.NoPermissions)
	b.User("third", domain.Group{})
	role, unknown := "boxadmin", "emperor"
	updated := func() time.Time {
		described, err := b.Vault.DescribeBox(t.Context(), b.owner, "box")
		require.NoError(t, err)
		return described.UpdatedAt
	}
	update := func(role *string) error {
		return b.Vault.UpdateBoxUser(t.Context(), b.owner,
			vault.UpdateBoxUser{Box: "box", Username: "third", Role: role})
	}
	permit := func(names ...string) error {
		return b.Vault.SetPermissions(t.Context(), b.owner,
			vault.SetPermissions{Box: "box", Username: "third", Names: names})
	}
	add := func() error {
		_, _, err := b.Vault.AddBoxUser(t.Context(), b.owner, vault.AddBoxUser{Box: "box", Username: "third"})
		return err
	}
	for _, step := range []struct {
		name    string
		change  func() error
		refused bool
	}{
		{"add", add, false},
		{"add again", add, true},
		{"role", func() error { return update(&role) }, false},
		{"unknown role", func() error { return update(&unknown) }, true},
		{"permissions", func() error { return permit("createEntry") }, false},
		{"no permissions", func() error { return permit() }, false},
		{"unknown permission", func() error { return permit("fly") }, true},
		{"remove", func() error { return b.Vault.RemoveBoxUser(t.Context(), b.owner, "box", "third") }, false},
		{"remove the owner", func() error { return b.Vault.RemoveBoxUser(t.Context(), b.owner, "box", "owner") }, true},
	} {
		before := updated()
		b.Clock.Advance(time.Minute)
		err := step.change()
		require.Equal(t, step.refused, err != nil, "%s: %v", step.name, err)
		want := before
		if !step.refused {
			want = b.Clock.Now()
		}
		require.WithinDuration(t, want, updated(), time.Millisecond, step.name)
	}
}
