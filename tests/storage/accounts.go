package storage

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// The method serialises verifies that only one transaction at a time can hold a lock. It runs several transactions
// concurrently. Each transaction calls the function lock, and then verifies that no other transaction holds the lock.
func (f *fixture) serialises(lock func(ctx context.Context, repos ports.Repos) error) {
	f.Helper()
	const n = 5
	var group sync.WaitGroup
	var inside atomic.Int64
	for range n {
		group.Go(func() {
			err := f.Do(f.Context(), func(ctx context.Context, repos ports.Repos) error {
				if err := lock(ctx, repos); err != nil {
					return err
				}
				if inside.Add(1) != 1 {
					f.Error("two transactions hold the lock")
				}
				time.Sleep(5 * time.Millisecond)
				inside.Add(-1)
				return nil
			})
			if err != nil {
				f.Errorf("lock: %v", err)
			}
		})
	}
	group.Wait()
}

func systemOwner(f *fixture) {
	owner, err := f.Read().System.Owner(f.Context())
	require.NoError(f, err)
	require.Zero(f, owner)
	user := f.addUser("first")
	f.do(func(ctx context.Context, repos ports.Repos) error {
		owner, err := repos.System.Lock(ctx)
		require.NoError(f, err)
		require.Zero(f, owner)
		return repos.System.SetOwner(ctx, user.ID)
	})
	owner, err = f.Read().System.Owner(f.Context())
	require.NoError(f, err)
	require.Equal(f, user.ID, owner)
	stored, err := f.Read().Users.Get(f.Context(), "first")
	require.NoError(f, err)
	require.True(f, stored.Owner)
	require.Equal(f, domain.GroupOwner, stored.Group)
}

func systemLockSerialises(f *fixture) {
	f.serialises(func(ctx context.Context, repos ports.Repos) error {
		_, err := repos.System.Lock(ctx)
		return err
	})
}

func userLockSerialises(f *fixture) {
	f.addUser("user")
	f.serialises(func(ctx context.Context, repos ports.Repos) error {
		_, err := repos.Users.Lock(ctx, "user")
		return err
	})
}

func userLifecycle(f *fixture) {
	user := f.addUser("user")
	users := f.Read().Users
	for _, get := range []func() (domain.User, error){
		func() (domain.User, error) { return users.Get(f.Context(), "user") },
		func() (domain.User, error) { return users.ByID(f.Context(), user.ID) },
	} {
		stored, err := get()
		require.NoError(f, err)
		require.Equal(f, user, stored)
	}
	f.requireCode(users.Add(f.Context(), domain.NewUser(f.id(), "user", domain.RoleUser, f.now),
		ports.SealedPassword{}), domain.Conflict, "user_exists")

	f.saveUser("user", func(u *domain.User) {
		u.Role, u.Group, u.Active, u.SessionEpoch = domain.RoleAdmin, domain.GroupManager, false, 7
		u.UpdatedAt = f.now.Add(time.Second)
		user = *u
	})
	stored, err := users.Get(f.Context(), "user")
	require.NoError(f, err)
	require.Equal(f, user, stored)
}

func userDelete(f *fixture) {
	user := f.addUser("user")
	o := f.office()
	f.addMember(o.box, user, domain.AllPermissions)
	f.addAPIKey(user)
	f.write(office{owner: user, box: o.box, credentials: o.credentials}, "entry", "value", 0)
	f.do(func(ctx context.Context, repos ports.Repos) error {
		locked, err := repos.Users.LockToDelete(ctx, "user")
		require.NoError(f, err)
		require.NoError(f, repos.Boxes.TouchOf(ctx, locked.ID, f.now.Add(time.Hour)))
		return repos.Users.Delete(ctx, locked.ID)
	})
	_, updated, err := f.Read().Boxes.Describe(f.Context(), o.box.ID)
	require.NoError(f, err)
	require.Equal(f, f.now.Add(time.Hour), updated)
	_, err = f.Read().Users.Get(f.Context(), "user")
	f.requireCode(err, domain.NotFound, "user_not_found")
	members, err := f.Read().BoxUsers.List(f.Context(), o.box.ID)
	require.NoError(f, err)
	require.Len(f, members, 1)
	versions, err := f.Read().Entries.Versions(f.Context(), o.box.ID, "entry")
	require.NoError(f, err)
	require.Empty(f, versions[0].Author, "the version is still stored, but has no author")
	for _, find := range []func(ctx context.Context, repos ports.Repos) error{
		func(ctx context.Context, repos ports.Repos) error {
			_, err := repos.Users.Lock(ctx, "user")
			return err
		},
		func(ctx context.Context, repos ports.Repos) error {
			_, err := repos.Users.LockToDelete(ctx, "user")
			return err
		},
		func(ctx context.Context, repos ports.Repos) error {
			_, err := repos.Users.ByID(ctx, user.ID)
			return err
		},
		func(ctx context.Context, repos ports.Repos) error {
			_, err := repos.Users.ForSignIn(ctx, "user")
			return err
		},
	} {
		f.requireCode(f.Do(f.Context(), find), domain.NotFound, "user_not_found")
	}
}

func userLists(f *fixture) {
	for _, name := range []domain.UserName{"b", "c", "a"} {
		f.addUser(name)
		f.now = f.now.Add(time.Second)
	}
	list, err := f.Read().Users.List(f.Context())
	require.NoError(f, err)
	require.Len(f, list, 3)
	require.Equal(f, []domain.UserName{"b", "c", "a"}, []domain.UserName{list[0].Name, list[1].Name, list[2].Name})
	names, err := f.Read().Users.Names(f.Context())
	require.NoError(f, err)
	require.Equal(f, []domain.UserName{"a", "b", "c"}, names)
}

func userPasswords(f *fixture) {
	user := f.addUser("user")
	users := f.Read().Users
	signIn, err := users.ForSignIn(f.Context(), "user")
	require.NoError(f, err)
	require.Equal(f, user, signIn.User)
	require.Equal(f, f.password(user.ID, "sealed user"), signIn.Password)
	require.Zero(f, signIn.Code.Code)

	was, next := signIn.Password, f.password(user.ID, "another")
	require.NoError(f, users.SetPassword(f.Context(), was, next))
	f.requireCode(users.SetPassword(f.Context(), was, next), domain.Conflict, "password_changed")
	signIn, err = users.ForSignIn(f.Context(), "user")
	require.NoError(f, err)
	require.Equal(f, next, signIn.Password)

	without := domain.NewUser(f.id(), "without", domain.RoleUser, f.now)
	require.NoError(f, users.Add(f.Context(), without, ports.SealedPassword{}))
	signIn, err = users.ForSignIn(f.Context(), "without")
	require.NoError(f, err)
	require.Empty(f, signIn.Password.Sealed)
	require.NoError(f, users.SetPassword(f.Context(), signIn.Password, f.password(without.ID, "first")))

	f.retire(f.keys[domain.KeyForAccounts])
	require.ErrorIs(f, users.SetPassword(f.Context(), next, f.password(user.ID, "third")), ports.ErrStaleServerKey)
	late := domain.NewUser(f.id(), "late", domain.RoleUser, f.now)
	require.ErrorIs(f, users.Add(f.Context(), late, f.password(late.ID, "x")), ports.ErrStaleServerKey)
	require.NoError(f, users.Add(f.Context(), late, ports.SealedPassword{}), "nothing is sealed")
}

func userPermissions(f *fixture) {
	o := f.office()
	user := f.addUser("user")
	union := func() domain.Permissions {
		permissions, err := f.Read().Users.Permissions(f.Context(), user.ID)
		require.NoError(f, err)
		return permissions
	}
	require.Equal(f, domain.NoPermissions, union())
	f.addMember(o.box, user, domain.ReadEntry)
	member := f.addMember(f.addBox(o.owner, "other"), user, domain.DeleteEntry)
	require.Equal(f, domain.ReadEntry|domain.DeleteEntry, union())
	member.Active = false
	require.NoError(f, f.Read().BoxUsers.Save(f.Context(), member))
	require.Equal(f, domain.ReadEntry, union(), "boxes in which the user is inactive are not counted")
}

func apiKeyLifecycle(f *fixture) {
	user, other := f.addUser("user"), f.addUser("other")
	first, second := f.addAPIKey(user), f.addAPIKey(user)
	f.addAPIKey(other)
	keys := f.Read().APIKeys
	list, err := keys.List(f.Context(), user.ID)
	require.NoError(f, err)
	require.Len(f, list, 2)
	require.Equal(f, []domain.CredentialID{first.ID, second.ID}, []domain.CredentialID{list[0].ID, list[1].ID})
	key, err := keys.Get(f.Context(), first.ID)
	require.NoError(f, err)
	require.Equal(f, list[0], key)
	require.Equal(f, f.now, key.CreatedAt)
	require.True(f, key.ExpiresAt.IsZero())

	require.NoError(f, keys.Delete(f.Context(), first.ID))
	_, err = keys.Get(f.Context(), first.ID)
	f.requireCode(err, domain.NotFound, "api_key_not_found")
	count, err := keys.Count(f.Context(), user.ID)
	require.NoError(f, err)
	require.Equal(f, 1, count)
	require.NoError(f, keys.DeleteAll(f.Context(), user.ID))
	count, err = keys.Count(f.Context(), user.ID)
	require.NoError(f, err)
	require.Zero(f, count)
	count, err = keys.Count(f.Context(), other.ID)
	require.NoError(f, err)
	require.Equal(f, 1, count)

	f.retire(f.keys[domain.KeyForAPIKeys])
	require.ErrorIs(f, keys.Add(f.Context(), domain.APIKey{
		ID:        f.id(),
		User:      user.ID,
		SignedBy:  f.keys[domain.KeyForAPIKeys],
		CreatedAt: f.now,
	}), ports.ErrStaleServerKey)
}

func sessionAdd(f *fixture) {
	user := f.addUser("user")
	f.addSession(user)
	deleted := domain.NewUser(f.id(), "deleted", domain.RoleUser, f.now)
	session := domain.NewSession(f.id(), deleted, f.now, time.Hour)
	session.SignedBy = f.keys[domain.KeyForSessions]
	require.ErrorIs(f, f.Read().Sessions.Add(f.Context(), session), domain.Unauthenticated)
	f.retire(f.keys[domain.KeyForSessions])
	session.User = user.ID
	require.ErrorIs(f, f.Read().Sessions.Add(f.Context(), session), ports.ErrStaleServerKey)
}
