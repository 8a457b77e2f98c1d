package storage

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

func boxLifecycle(f *fixture) {
	owner, next := f.addUser("owner"), f.addUser("next")
	box := f.addBox(owner, "box")
	f.addBox(owner, "another")
	boxes := f.Read().Boxes
	second := box
	second.ID = f.id()
	f.requireCode(boxes.Add(f.Context(), second), domain.Conflict, "box_exists")
	type list func(context.Context, domain.UserID) ([]domain.BoxName, error)
	for _, list := range []list{boxes.NamesOf, boxes.OwnedBy} {
		names, err := list(f.Context(), owner.ID)
		require.NoError(f, err)
		require.Equal(f, []domain.BoxName{"another", "box"}, names)
		names, err = list(f.Context(), next.ID)
		require.NoError(f, err)
		require.Empty(f, names)
	}

	box.Owner, box.UpdatedAt = next.ID, f.now.Add(time.Second)
	f.do(func(ctx context.Context, repos ports.Repos) error {
		require.NoError(f, repos.Boxes.Lock(ctx, box.ID))
		return repos.Boxes.Save(ctx, box)
	})
	name, updated, err := boxes.Describe(f.Context(), box.ID)
	require.NoError(f, err)
	require.Equal(f, next.Name, name)
	require.Equal(f, box.UpdatedAt, updated)

	member := f.addUser("member")
	offer := domain.BoxOffer{To: member.ID, ToName: member.Name, ExpiresAt: f.now.Add(time.Hour)}
	for _, want := range []domain.BoxOffer{offer, {}, offer} {
		require.NoError(f, boxes.SaveOffer(f.Context(), box.ID, want))
		stored, err := boxes.Offer(f.Context(), box.ID)
		require.NoError(f, err)
		require.Equal(f, want, stored)
	}
	f.requireCode(boxes.SaveOffer(f.Context(), box.ID, domain.BoxOffer{To: f.id(), ExpiresAt: f.now}), domain.NotFound,
		"user_not_found")
	require.NoError(f, f.Read().Users.Delete(f.Context(), member.ID))
	stored, err := boxes.Offer(f.Context(), box.ID)
	require.NoError(f, err)
	require.Zero(f, stored, "the offer is deleted together with the user")
	f.serialises(func(ctx context.Context, repos ports.Repos) error { return repos.Boxes.Lock(ctx, box.ID) })
	f.do(func(ctx context.Context, repos ports.Repos) error { return repos.Boxes.Delete(ctx, box.ID) })
	_, _, err = boxes.Describe(f.Context(), box.ID)
	f.requireCode(err, domain.NotFound, "box_not_found")
	f.requireCode(f.Do(f.Context(), func(ctx context.Context, repos ports.Repos) error {
		return repos.Boxes.Lock(ctx, box.ID)
	}), domain.NotFound, "box_not_found")
	members, err := f.Read().BoxUsers.List(f.Context(), box.ID)
	require.NoError(f, err)
	require.Empty(f, members)
}

func boxUserLifecycle(f *fixture) {
	o := f.office()
	user := f.addUser("member")
	member := f.addMember(o.box, user, domain.ReadEntry)
	members := f.Read().BoxUsers
	f.requireCode(members.Add(f.Context(), member), domain.Conflict, "box_user_exists")
	unknown := domain.NewBoxUser(o.box.ID, f.id(), "unknown", domain.BoxRoleUser)
	f.requireCode(members.Add(f.Context(), unknown), domain.NotFound, "user_not_found")

	list, err := members.List(f.Context(), o.box.ID)
	require.NoError(f, err)
	require.Equal(f, []domain.BoxUser{member, domain.NewBoxOwner(o.box.ID, o.owner.ID, o.owner.Name)}, list)
	count, err := members.Count(f.Context(), o.box.ID)
	require.NoError(f, err)
	require.Equal(f, 2, count)

	member.Role, member.Active, member.Permissions = domain.BoxRoleAdmin, false, domain.AllPermissions
	require.NoError(f, members.Save(f.Context(), member))
	stored, err := members.Get(f.Context(), o.box.ID, user.Name)
	require.NoError(f, err)
	require.Equal(f, member, stored)
	names, err := f.Read().Boxes.NamesOf(f.Context(), user.ID)
	require.NoError(f, err)
	require.Empty(f, names, "inactive members do not count")

	require.NoError(f, members.Remove(f.Context(), o.box.ID, user.ID))
	_, err = members.Get(f.Context(), o.box.ID, user.Name)
	f.requireCode(err, domain.NotFound, "box_user_not_found")
}
