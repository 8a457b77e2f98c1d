package client_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/client"
)

func TestBoxFromCreationToDeletion(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c, box := boxFor(t)
	require.ErrorIs(t, c.CreateBox(ctx, box), client.ErrConflict)
	_, err := c.WriteEntry(ctx, box, "key", 1, nil)
	require.NoError(t, err)
	names, err := c.ListBoxes(ctx)
	require.NoError(t, err)
	require.Contains(t, names, box)

	seen, err := c.DescribeBox(ctx, box)
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), seen.CreatedAt, time.Minute)
	require.WithinDuration(t, time.Now(), seen.UpdatedAt, time.Minute)
	require.NotEmpty(t, seen.ID)
	require.Equal(t, &client.Box{
		ID:        seen.ID,
		Name:      box,
		Owner:     "root",
		CreatedAt: seen.CreatedAt,
		UpdatedAt: seen.UpdatedAt,
		Entries:   []string{"key"},
		Users:     []client.Member{{Username: "root", Role: client.RoleBoxAdmin, IsActive: true}},
	}, seen)

	member := userFor(t, "box-member")
	_, err = member.DescribeBox(ctx, box)
	require.ErrorIs(t, err, client.ErrNotFound)
	require.ErrorIs(t, c.TransferBox(ctx, box, "box-member"), client.ErrConflict)
	require.NoError(t, c.AddBoxUser(ctx, box, "box-member", client.RoleBoxUser))
	require.NoError(t, c.TransferBox(ctx, box, "box-member"))
	require.NoError(t, member.DeleteBox(ctx, box))
	require.ErrorIs(t, c.DeleteBox(ctx, box), client.ErrNotFound)
}

func TestBoxUsers(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c, box := boxFor(t)
	member := userFor(t, "boxuser-1")
	require.ErrorIs(t, c.AddBoxUser(ctx, box, "no-such-user", ""), client.ErrNotFound)
	require.ErrorIs(t, c.AddBoxUser(ctx, box, "boxuser-1", "king"), client.ErrInvalid)
	require.NoError(t, c.AddBoxUser(ctx, box, "boxuser-1", ""))
	require.ErrorIs(t, c.AddBoxUser(ctx, box, "boxuser-1", ""), client.ErrConflict)

	names, err := c.ListBoxUsers(ctx, box)
	require.NoError(t, err)
	require.Equal(t, []string{"boxuser-1", "root"}, names)
	_, err = member.ListBoxUsers(ctx, box)
	require.ErrorIs(t, err, client.ErrForbidden)

	user, err := member.DescribeBoxUser(ctx, box, "boxuser-1")
	require.NoError(t, err)
	described, err := c.DescribeUser(ctx, "boxuser-1")
	require.NoError(t, err)
	require.NotEmpty(t, described.ID)
	require.Equal(t, &client.BoxUser{Member: client.Member{Username: "boxuser-1", Role: client.RoleBoxUser,
		IsActive: true},
		ID:          described.ID,
		Permissions: []client.Permission{client.PermissionReadEntryKeys, client.PermissionReadEntry}}, user)

	all := []client.Permission{client.PermissionReadEntryKeys, client.PermissionReadEntry, client.PermissionCreateEntry,
		client.PermissionDeleteEntry}
	require.NoError(t, c.SetPermissions(ctx, box, "boxuser-1", all))
	require.ErrorIs(t, c.SetPermissions(ctx, box, "boxuser-1", []client.Permission{"fly"}), client.ErrInvalid)
	permissions, err := member.ListPermissions(ctx, box, "boxuser-1")
	require.NoError(t, err)
	require.Equal(t, all, permissions)
	require.NoError(t, c.ClearPermissions(ctx, box, "boxuser-1"))
	permissions, err = c.ListPermissions(ctx, box, "boxuser-1")
	require.NoError(t, err)
	require.Empty(t, permissions)

	require.NoError(t, c.UpdateBoxUser(ctx, box, "boxuser-1", client.BoxUserChange{Role: client.RoleBoxAdmin}))
	require.NoError(t, c.UpdateBoxUser(ctx, box, "boxuser-1", client.BoxUserChange{IsActive: new(false)}))
	user, err = c.DescribeBoxUser(ctx, box, "boxuser-1")
	require.NoError(t, err)
	require.Equal(t, client.Member{Username: "boxuser-1", Role: client.RoleBoxAdmin}, user.Member)
	require.ErrorIs(t, c.RemoveBoxUser(ctx, box, "root"), client.ErrConflict)
	require.NoError(t, c.RemoveBoxUser(ctx, box, "boxuser-1"))
	require.ErrorIs(t, c.RemoveBoxUser(ctx, box, "boxuser-1"), client.ErrNotFound)
}
