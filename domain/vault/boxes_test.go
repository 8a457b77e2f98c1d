package vault_test

import (
	"testing"

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
	require.ErrorIs(t, transfer("owner"), domain.ErrBoxOwnerOnly, "the former owner is a member like others")
	described, err := b.Vault.DescribeBox(t.Context(), b.member, "box")
	require.NoError(t, err)
	require.Equal(t, domain.UserName("member"), described.Owner)
}
