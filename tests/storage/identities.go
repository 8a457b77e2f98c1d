package storage

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// newIdentity returns an identity with invalid keys, which storage does not check. The byte mark distinguishes
// identities.
func (f *fixture) newIdentity(user domain.UserID, mark byte) domain.Identity {
	var public domain.PublicIdentity
	public[0] = mark
	return domain.NewIdentity(user, public, f.now)
}

func (f *fixture) putIdentity(identity domain.Identity) {
	f.Helper()
	f.do(func(ctx context.Context, repos ports.Repos) error { return repos.Identities.Put(ctx, identity) })
}

// addIdentity stores a new identity of a user.
func (f *fixture) addIdentity(user domain.User, mark byte) domain.Identity {
	f.Helper()
	identity := f.newIdentity(user.ID, mark)
	f.putIdentity(identity)
	identity.Name = user.Name
	return identity
}

func identityLifecycle(f *fixture) {
	user, identities := f.addUser("anna"), f.Read().Identities
	for _, find := range []func() (domain.Identity, error){
		func() (domain.Identity, error) { return identities.Current(f.Context(), user.ID) },
		func() (domain.Identity, error) { return identities.CurrentOf(f.Context(), "anna") },
		func() (domain.Identity, error) { return identities.CurrentOf(f.Context(), "ghost") },
		func() (domain.Identity, error) { return identities.ByFingerprint(f.Context(), domain.Fingerprint{1}) },
	} {
		_, err := find()
		f.requireCode(err, domain.NotFound, "identity_not_found")
	}
	first := f.addIdentity(user, 1)
	second := f.newIdentity(user.ID, 2)
	second.CreatedAt = f.now.Add(time.Hour)
	f.putIdentity(second)
	second.Name, first.Current = user.Name, false
	require.Equal(f, second, f.identity(second.Fingerprint))
	require.Equal(f, first, f.identity(first.Fingerprint), "an earlier identity stays")
	current, err := identities.CurrentOf(f.Context(), "anna")
	require.NoError(f, err)
	require.Equal(f, second, current)
	count, err := identities.Count(f.Context(), user.ID)
	require.NoError(f, err)
	require.Equal(f, 2, count)

	again := first
	again.CreatedAt = f.now.Add(2 * time.Hour)
	f.putIdentity(again)
	first.Current = true
	require.Equal(f, first, f.identity(first.Fingerprint), "an identity that is stored again keeps its creation time")
	f.do(func(ctx context.Context, repos ports.Repos) error { return repos.Users.Delete(ctx, user.ID) })
	first.Name = ""
	require.Equal(f, first, f.identity(first.Fingerprint), "an identity outlives its user")
}

func (f *fixture) identity(fingerprint domain.Fingerprint) domain.Identity {
	f.Helper()
	found, err := f.Read().Identities.ByFingerprint(f.Context(), fingerprint)
	require.NoError(f, err)
	return found
}

// identityTaken verifies that no user can register the key of another user, even if that other user now has a newer
// key.
func identityTaken(f *fixture) {
	anna, boris := f.addUser("anna"), f.addUser("boris")
	own := f.addIdentity(boris, 9)
	f.addIdentity(anna, 1)
	f.addIdentity(anna, 2)
	for _, mark := range []byte{1, 2} {
		err := f.Do(f.Context(), func(ctx context.Context, repos ports.Repos) error {
			return repos.Identities.Put(ctx, f.newIdentity(boris.ID, mark))
		})
		f.requireCode(err, domain.Conflict, "identity_taken")
	}
	require.Equal(f, own, f.identity(own.Fingerprint), "the refused change was rolled back")
}

func (f *fixture) lockedIdentity(identity domain.Identity, sealed string) ports.SealedIdentity {
	return ports.SealedIdentity{
		User:        identity.User,
		Fingerprint: identity.Fingerprint,
		ServerKey:   f.keys[domain.KeyForAccounts],
		Sealed:      []byte(sealed),
		CreatedAt:   f.now,
	}
}

func identityLocked(f *fixture) {
	user := f.addUser("anna")
	identity, identities := f.addIdentity(user, 1), f.Read().Identities
	_, err := identities.Locked(f.Context(), user.ID)
	f.requireCode(err, domain.NotFound, "locked_identity_not_found")
	for _, sealed := range []string{"first", "second"} {
		require.NoError(f, identities.PutLocked(f.Context(), f.lockedIdentity(identity, sealed)))
		stored, err := identities.Locked(f.Context(), user.ID)
		require.NoError(f, err)
		require.Equal(f, f.lockedIdentity(identity, sealed), stored)
	}
	for _, want := range []bool{true, false} {
		deleted, err := identities.DeleteLocked(f.Context(), user.ID)
		require.NoError(f, err)
		require.Equal(f, want, deleted)
	}
	require.NoError(f, identities.PutLocked(f.Context(), f.lockedIdentity(identity, "third")))
	f.do(func(ctx context.Context, repos ports.Repos) error { return repos.Users.Delete(ctx, user.ID) })
	_, err = identities.Locked(f.Context(), user.ID)
	f.requireCode(err, domain.NotFound, "locked_identity_not_found")

	other := f.addIdentity(f.addUser("boris"), 2)
	f.retire(f.keys[domain.KeyForAccounts])
	require.ErrorIs(f, identities.PutLocked(f.Context(), f.lockedIdentity(other, "late")), ports.ErrStaleServerKey)
}

// sealedLockedIdentities reseals all locked identities under another server key, in batches. Only afterwards can the
// old server key be deleted.
func sealedLockedIdentities(f *fixture) {
	for i, name := range []domain.UserName{"anna", "boris", "cora"} {
		identity := f.addIdentity(f.addUser(name), byte(i+1))
		require.NoError(f, f.Read().Identities.PutLocked(f.Context(), f.lockedIdentity(identity, string(name))))
	}
	old, next := f.keys[domain.KeyForAccounts], f.addServerKey(domain.KeyForAccounts, 2)
	f.retire(old)
	deleteOld := func(left int) error {
		return f.Do(f.Context(), func(ctx context.Context, repos ports.Repos) error {
			return repos.ServerKeys.DeleteRetired(ctx, old, left)
		})
	}
	require.ErrorIs(f, deleteOld(5), ports.ErrServerKeyInUse, "three passwords and three identities")
	rows, moved := f.Read().SealedRows, 0
	var after domain.UserID
	for {
		batch, err := rows.LockedIdentities(f.Context(), old, after, 2)
		require.NoError(f, err)
		if len(batch) == 0 {
			break
		}
		for _, row := range batch {
			after = row.User
			require.NoError(f, rows.ReplaceLockedIdentity(f.Context(), row, next, []byte("resealed")))
			require.NoError(f, rows.ReplaceLockedIdentity(f.Context(), row, old, []byte("lost")))
			stored, err := f.Read().Identities.Locked(f.Context(), row.User)
			require.NoError(f, err)
			require.Equal(f, "resealed", string(stored.Sealed))
			require.Equal(f, next, stored.ServerKey)
			require.Equal(f, row.Fingerprint, stored.Fingerprint)
			moved++
		}
	}
	require.Equal(f, 3, moved)
	require.ErrorIs(f, deleteOld(2), ports.ErrServerKeyInUse)
	require.NoError(f, deleteOld(3), "the passwords are left")
}
