package storage

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// serverKeys returns the stored server keys that have the given purpose.
func (f *fixture) serverKeys(purpose domain.KeyPurpose) []ports.ServerKey {
	f.Helper()
	all, err := f.Read().ServerKeys.List(f.Context())
	require.NoError(f, err)
	var keys []ports.ServerKey
	for _, key := range all {
		if key.Purpose == purpose {
			keys = append(keys, key)
		}
	}
	return keys
}

func serverKeyLifecycle(f *fixture) {
	all, err := f.Read().ServerKeys.List(f.Context())
	require.NoError(f, err)
	require.Len(f, all, len(domain.KeyPurposes()))
	first := f.keys[domain.KeyForEntries]
	f.addServerKey(domain.KeyForEntries, 1) // the generation is taken
	second := f.addServerKey(domain.KeyForEntries, 2)
	keys := f.serverKeys(domain.KeyForEntries)
	require.Equal(f, []domain.ServerKeyID{first, second}, []domain.ServerKeyID{keys[0].ID, keys[1].ID})
	require.Equal(f, []byte{2}, keys[1].Wrapped)
	require.Equal(f, f.now, keys[1].CreatedAt)
	require.True(f, keys[0].RetiredAt.IsZero())

	f.do(func(ctx context.Context, repos ports.Repos) error {
		keys, err := repos.ServerKeys.List(ctx)
		require.NoError(f, err)
		for i := range keys {
			keys[i].Wrapped = append(keys[i].Wrapped, 9)
		}
		return repos.ServerKeys.Rewrap(ctx, keys)
	})
	f.retire(first)
	require.NoError(f, f.Read().ServerKeys.Retire(f.Context(), first, f.now.Add(time.Hour)))
	keys = f.serverKeys(domain.KeyForEntries)
	require.Equal(f, []byte{2, 9}, keys[1].Wrapped)
	require.Equal(f, f.now, keys[0].RetiredAt, "the first retirement counts")
	require.True(f, keys[1].RetiredAt.IsZero())

	f.serialises(func(ctx context.Context, repos ports.Repos) error {
		_, err := repos.ServerKeys.List(ctx)
		return err
	})
}

func serverKeyDeleteRetired(f *fixture) {
	o := f.office()
	f.write(o, "entry", "value", 0)
	f.addTOTP(o.owner, false, digest("a"), digest("b"))
	f.addInvitation(o.owner, "invited", time.Hour)
	deleteRetired := func(purpose domain.KeyPurpose, left int) error {
		return f.Do(f.Context(), func(ctx context.Context, repos ports.Repos) error {
			return repos.ServerKeys.DeleteRetired(ctx, f.keys[purpose], left)
		})
	}
	for purpose, rows := range map[domain.KeyPurpose]int{
		domain.KeyForEntries: 1, domain.KeyForAccounts: 2, domain.KeyForAPIKeys: 1, domain.KeyForSessions: 2,
		domain.KeyForTokens: 4,
	} {
		require.ErrorIs(f, deleteRetired(purpose, rows), ports.ErrServerKeyInUse, "%s is not retired", purpose)
		f.retire(f.keys[purpose])
		require.ErrorIs(f, deleteRetired(purpose, rows-1), ports.ErrServerKeyInUse, purpose)
		require.NoError(f, deleteRetired(purpose, rows), purpose)
		require.Empty(f, f.serverKeys(purpose))
	}
}

func sealedEntries(f *fixture) {
	o := f.office()
	for _, key := range []domain.EntryKey{"b", "a", "c"} {
		f.write(o, key, "first", 0)
		f.write(o, key, "second", 0)
	}
	old, next := f.keys[domain.KeyForEntries], f.addServerKey(domain.KeyForEntries, 2)
	rows := f.Read().SealedRows
	var places []ports.Place
	var after ports.Place
	for {
		batch, err := rows.Entries(f.Context(), old, after, 4)
		require.NoError(f, err)
		if len(batch) == 0 {
			break
		}
		for _, version := range batch {
			require.Nil(f, version.Sealed.Value)
			places = append(places, version.Place)
			after = version.Place
			require.NoError(f, rows.ReplaceEnvelope(f.Context(), version, next, []byte("rewrapped")))
			stale := version // its envelope is no longer the stored one
			require.NoError(f, rows.ReplaceEnvelope(f.Context(), stale, old, []byte("lost")))
		}
	}
	require.Len(f, places, 6)
	for i, key := range []domain.EntryKey{"a", "a", "b", "b", "c", "c"} {
		want := ports.Place{
			Box:      o.box.ID,
			Key:      key,
			Version:  uint64(1 + i%2),
			SealedAs: uint64(1 + i%2),
		}
		require.Equal(f, want, places[i])
		stored, err := f.Read().Entries.Version(f.Context(), o.box.ID, key, want.Version)
		require.NoError(f, err)
		require.Equal(f, next, stored.Sealed.ServerKey)
		require.Equal(f, "rewrapped", string(stored.Sealed.Envelope))
	}
}

func sealedCount(f *fixture) {
	empty, err := f.Read().SealedRows.Count(f.Context())
	require.NoError(f, err)
	require.Zero(f, empty)
	o := f.office()
	before, err := f.Read().SealedRows.Count(f.Context())
	require.NoError(f, err)
	f.write(o, "entry", "first", 0)
	f.write(o, "entry", "second", 0)
	f.addUser("with a password")
	f.addTOTP(o.owner, false)
	f.addTOTP(o.owner, true)
	counts, err := f.Read().SealedRows.Count(f.Context())
	require.NoError(f, err)
	require.Equal(f, ports.SealedCounts{
		Entries:          before.Entries + 2,
		Passwords:        before.Passwords + 1,
		TOTPSecrets:      before.TOTPSecrets + 2,
		LockedIdentities: before.LockedIdentities,
	}, counts)
}

func sealedAccounts(f *fixture) {
	user := f.addUser("user")
	f.addUser("other")
	secret := f.addTOTP(user, false)
	old, next := f.keys[domain.KeyForAccounts], f.addServerKey(domain.KeyForAccounts, 2)
	rows := f.Read().SealedRows
	passwords, err := rows.Passwords(f.Context(), old, domain.UserID{}, 10)
	require.NoError(f, err)
	require.Len(f, passwords, 2)
	require.Equal(f, f.password(user.ID, "sealed user"), passwords[0])
	rest, err := rows.Passwords(f.Context(), old, user.ID, 10)
	require.NoError(f, err)
	require.Equal(f, passwords[1:], rest)
	require.NoError(f, rows.ReplacePassword(f.Context(), passwords[0], next, []byte("rewrapped")))
	require.NoError(f, rows.ReplacePassword(f.Context(), passwords[0], old, []byte("lost")))
	signIn, err := f.Read().Users.ForSignIn(f.Context(), "user")
	require.NoError(f, err)
	require.Equal(f, ports.SealedPassword{User: user.ID, ServerKey: next, Sealed: []byte("rewrapped")}, signIn.Password)

	codes, err := rows.Codes(f.Context(), old, domain.TOTPID{}, 10)
	require.NoError(f, err)
	require.Equal(f, []ports.SealedTOTPSecret{secret}, codes)
	require.NoError(f, rows.ReplaceCode(f.Context(), secret, next, []byte("rewrapped")))
	require.NoError(f, rows.ReplaceCode(f.Context(), secret, old, []byte("lost")))
	codes, err = rows.Codes(f.Context(), next, domain.TOTPID{}, 10)
	require.NoError(f, err)
	require.Len(f, codes, 1)
	require.Equal(f, "rewrapped", string(codes[0].Sealed))
}

// plainRecoveryCodes tests the methods for recovery codes that an older release stored without a keyed digest. These
// methods must not list, replace or delete recovery codes with a keyed digest. The ports have no method that stores a
// code without a keyed digest. Such codes are therefore tested with the use case, not here.
func plainRecoveryCodes(f *fixture) {
	user := f.addUser("user")
	secret := f.addTOTP(user, false, digest("keyed"))
	rows := f.Read().SealedRows
	counts, err := rows.PlainRecoveryCodeCounts(f.Context())
	require.NoError(f, err)
	require.Empty(f, counts)
	plain, err := rows.PlainRecoveryCodes(f.Context(), user.ID, 10)
	require.NoError(f, err)
	require.Empty(f, plain)
	absent := ports.PlainRecoveryCode{User: user.ID, Secret: secret.Code.ID, Hash: digest("keyed")}
	replaced, err := rows.KeyRecoveryCode(f.Context(), absent, f.keys[domain.KeyForTokens], digest("again"))
	require.NoError(f, err)
	require.False(f, replaced)
	deleted, err := rows.DeletePlainRecoveryCodes(f.Context(), user.ID)
	require.NoError(f, err)
	require.Zero(f, deleted)
	spent, err := f.Read().TOTPSecrets.SpendRecovery(f.Context(), secret.Code.ID, digest("keyed"))
	require.NoError(f, err)
	require.True(f, spent, "a recovery code that already has a key is neither replaced nor deleted")
}

func sealedTokens(f *fixture) {
	zoe, adam := f.addUser("zoe"), f.addUser("adam")
	f.addAPIKey(zoe)
	f.addAPIKey(adam)
	f.addSession(zoe)
	f.addFamily(zoe, "zoe")
	f.addFamily(adam, "adam")
	f.addTOTP(zoe, false, digest("a"), digest("b"))
	f.addInvitation(zoe, "invited", time.Hour)
	rows := f.Read().SealedRows
	owned, err := rows.TokensUnder(f.Context(), f.keys[domain.KeyForAPIKeys])
	require.NoError(f, err)
	require.Len(f, owned, 2)
	require.Equal(f, []domain.UserName{"adam", "zoe"}, []domain.UserName{owned[0].User, owned[1].User})
	for _, test := range []struct {
		purpose domain.KeyPurpose
		want    int
	}{
		{domain.KeyForAPIKeys, 2}, {domain.KeyForSessions, 3}, {domain.KeyForTokens, 3},
	} {
		deleted, err := rows.DeleteTokens(f.Context(), f.keys[test.purpose])
		require.NoError(f, err)
		require.Equal(f, test.want, deleted, test.purpose)
	}
	f.addFamily(zoe, "late")
	deleted, err := rows.DeleteTokens(f.Context(), f.keys[domain.KeyForTokens])
	require.NoError(f, err)
	require.Equal(f, 1, deleted, "a token family also depends on the token key")
	f.do(func(ctx context.Context, repos ports.Repos) error {
		_, err := repos.System.Owner(ctx)
		require.NoError(f, err)
		time.Sleep(20 * time.Millisecond)
		age, err := rows.OldestTransaction(f.Context())
		require.NoError(f, err)
		require.GreaterOrEqual(f, age, 20*time.Millisecond)
		return nil
	})
}

// openTransactions verifies that OpenTransactions also returns transactions that have only read so far. Such a
// transaction can still write.
func openTransactions(f *fixture) {
	var during []string
	f.do(func(ctx context.Context, repos ports.Repos) error {
		_, err := repos.System.Owner(ctx)
		require.NoError(f, err)
		during, err = f.Read().SealedRows.OpenTransactions(f.Context())
		require.NoError(f, err)
		return nil
	})
	require.NotEmpty(f, during)
	after, err := f.Read().SealedRows.OpenTransactions(f.Context())
	require.NoError(f, err)
	require.NotSubset(f, after, during)
}
