package storage

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// everyCredential invalidates credentials of each kind, in each possible way. An invalidated credential must no longer
// authenticate its user.
func everyCredential(f *fixture) {
	o := f.office()
	find := func(credential domain.Credential) domain.Caller {
		caller, err := f.Read().Callers.Caller(f.Context(), credential)
		require.NoError(f, err)
		return caller
	}
	all := append(o.credentials, domain.Credential{
		Kind:   domain.RefreshTokenCredential,
		User:   o.owner.ID,
		Digest: o.pair.Refresh,
	})
	expires := []time.Time{{}, f.now.Add(time.Hour).Truncate(time.Second), o.pair.AccessExpiresAt, o.family.ExpiresAt}
	for i, credential := range all {
		caller := find(credential)
		require.Equal(f, o.owner.ID, caller.UserID, credential.Kind)
		require.Equal(f, o.owner.Name, caller.Name)
		require.True(f, caller.Active)
		require.Equal(f, o.owner.ID, caller.Credential.User)
		require.False(f, caller.Credential.ID.IsZero(), "an opaque token also has an id")
		require.Equal(f, expires[i], caller.ExpiresAt, credential.Kind)
		require.NoError(f, caller.Authenticate(f.now))
	}
	require.Equal(f, "key of owner", find(all[0]).CredentialName)
	thief := f.addUser("thief")
	for _, stolen := range all {
		stolen.User = thief.ID
		require.Zero(f, find(stolen).UserID, "the credential was issued to another user: %s", stolen.Kind)
	}

	require.NoError(f, f.Read().APIKeys.Delete(f.Context(), all[0].ID))
	require.Zero(f, find(all[0]).UserID, "a deleted API key")
	require.NoError(f, f.Read().TokenFamilies.Spend(f.Context(), o.pair.ID, f.now))
	require.Zero(f, find(all[2]).UserID, "a spent pair")
	family, pair := f.addFamily(o.owner, "second")
	access := domain.Credential{Kind: domain.AccessTokenCredential, User: o.owner.ID, Digest: pair.Access}
	require.Equal(f, o.owner.ID, find(access).UserID)
	require.NoError(f, f.Read().TokenFamilies.Revoke(f.Context(), family.ID, f.now))
	require.Zero(f, find(access).UserID, "a revoked family")
	_, pair = f.addFamily(o.owner, "third")
	access.Digest = pair.Access
	f.saveUser("owner", func(u *domain.User) { u.EndSessions() })
	require.Zero(f, find(access).UserID, "an earlier epoch")
	require.Zero(f, find(all[1]).UserID, "an earlier epoch")
}

func callerAccess(f *fixture) {
	o := f.office()
	user := f.addUser("member")
	credential := f.addAPIKey(user)
	access := func(repos ports.Repos, box domain.BoxName) domain.Access {
		found, err := repos.Callers.Access(f.Context(), credential, box)
		require.NoError(f, err)
		require.Equal(f, user.ID, found.Caller.UserID)
		return found
	}
	require.Zero(f, access(f.Read(), "unknown").Box)
	require.Zero(f, access(f.Read(), "").Box)
	require.Equal(f, o.box, access(f.Read(), "box").Box)
	require.Nil(f, access(f.Read(), "box").Member)
	member := f.addMember(o.box, user, domain.ReadEntry)
	require.Equal(f, &member, access(f.Read(), "box").Member)
	f.do(func(_ context.Context, repos ports.Repos) error {
		require.Equal(f, &member, access(repos, "box").Member)
		return nil
	})
	unknown, err := f.Read().Callers.Access(f.Context(),
		domain.Credential{Kind: domain.SessionCredential, ID: f.id(), User: user.ID}, "box")
	require.NoError(f, err)
	require.Zero(f, unknown.Caller.UserID)
	require.Zero(f, unknown.Box, "a caller who does not authenticate sees no box")
}
