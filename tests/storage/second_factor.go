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

// addTOTP stores a TOTP secret with recovery codes.
func (f *fixture) addTOTP(user domain.User, pending bool, recovery ...domain.Digest) ports.SealedTOTPSecret {
	f.Helper()
	secret := ports.SealedTOTPSecret{
		Code: domain.TOTPSecret{
			ID:        f.id(),
			User:      user.ID,
			Pending:   pending,
			Own:       true,
			CreatedAt: f.now,
		},
		ServerKey: f.keys[domain.KeyForAccounts],
		Sealed:    []byte("sealed secret"),
	}
	f.do(func(ctx context.Context, repos ports.Repos) error {
		_, err := repos.Users.Lock(ctx, user.Name)
		require.NoError(f, err)
		return repos.TOTPSecrets.Put(ctx, secret, f.recoveryCodes(recovery...))
	})
	return secret
}

// recoveryCodes returns recovery codes with the given digests. Their server key is the one that the fixture created for
// tokens.
func (f *fixture) recoveryCodes(digests ...domain.Digest) ports.RecoveryCodes {
	return ports.RecoveryCodes{ServerKey: f.keys[domain.KeyForTokens], Digests: digests}
}

func totpLifecycle(f *fixture) {
	user := f.addUser("user")
	secrets := f.Read().TOTPSecrets
	_, err := secrets.Get(f.Context(), user.ID, false)
	f.requireCode(err, domain.NotFound, "totp_not_found")
	f.addTOTP(user, false)
	inForce := f.addTOTP(user, false)
	pending := f.addTOTP(user, true)
	for isPending, want := range map[bool]ports.SealedTOTPSecret{false: inForce, true: pending} {
		stored, err := secrets.Get(f.Context(), user.ID, isPending)
		require.NoError(f, err)
		require.Equal(f, want, stored, "the newer secret replaces the older secret")
	}
	signIn, err := f.Read().Users.ForSignIn(f.Context(), user.Name)
	require.NoError(f, err)
	require.Equal(f, inForce, signIn.Code)

	require.NoError(f, secrets.Promote(f.Context(), user.ID))
	stored, err := secrets.Get(f.Context(), user.ID, false)
	require.NoError(f, err)
	require.Equal(f, pending.Code.ID, stored.Code.ID)
	_, err = secrets.Get(f.Context(), user.ID, true)
	f.requireCode(err, domain.NotFound, "totp_not_found")
	require.NoError(f, secrets.Promote(f.Context(), user.ID), "without a pending secret, nothing changes")
	_, err = secrets.Get(f.Context(), user.ID, false)
	require.NoError(f, err)

	for _, want := range []bool{true, false} {
		deleted, err := secrets.Delete(f.Context(), user.ID)
		require.NoError(f, err)
		require.Equal(f, want, deleted)
	}
	f.retire(f.keys[domain.KeyForAccounts])
	require.ErrorIs(f, secrets.Put(f.Context(), inForce, ports.RecoveryCodes{}), ports.ErrStaleServerKey)
}

func totpStepOnce(f *fixture) {
	user := f.addUser("user")
	secret := f.addTOTP(user, false)
	accept := func(id domain.TOTPID, step int64) bool {
		accepted, err := f.Read().TOTPSecrets.Accept(f.Context(), id, step, f.now)
		if err != nil {
			f.Errorf("accept: %v", err)
		}
		return accepted
	}
	var group sync.WaitGroup
	var accepted atomic.Int64
	for range 8 {
		group.Go(func() {
			if accept(secret.Code.ID, 100) {
				accepted.Add(1)
			}
		})
	}
	group.Wait()
	require.Equal(f, int64(1), accepted.Load())
	require.False(f, accept(secret.Code.ID, 99), "a code of an earlier step is refused, too")
	require.True(f, accept(secret.Code.ID, 101))
	require.False(f, accept(f.id(), 102), "an unknown secret")
	stored, err := f.Read().TOTPSecrets.Get(f.Context(), user.ID, false)
	require.NoError(f, err)
	require.Equal(f, int64(101), stored.Code.LastStep)
	require.Equal(f, f.now, stored.Code.ConfirmedAt)
}

func recoveryCodes(f *fixture) {
	secret := f.addTOTP(f.addUser("user"), false, digest("a"), digest("b"))
	spend := func(text string) bool {
		spent, err := f.Read().TOTPSecrets.SpendRecovery(f.Context(), secret.Code.ID, digest(text))
		require.NoError(f, err)
		return spent
	}
	require.True(f, spend("a"))
	require.False(f, spend("a"))
	require.False(f, spend("c"))
	require.True(f, spend("b"))
}

func tokenFamilyLifecycle(f *fixture) {
	user := f.addUser("user")
	family, pair := f.addFamily(user, "user")
	lock := func(refresh domain.Digest) (foundFamily domain.TokenFamily, foundPair domain.TokenPair, err error) {
		err = f.Do(f.Context(), func(ctx context.Context, repos ports.Repos) (err error) {
			foundFamily, foundPair, err = repos.TokenFamilies.LockByRefresh(ctx, user.ID, refresh)
			return err
		})
		return foundFamily, foundPair, err
	}
	storedFamily, storedPair, err := lock(pair.Refresh)
	require.NoError(f, err)
	require.Equal(f, family, storedFamily)
	pair.Access = domain.Digest{} // not returned
	require.Equal(f, pair, storedPair)
	_, _, err = lock(digest("unknown"))
	require.ErrorIs(f, err, domain.NotFound)
	require.ErrorIs(f, f.Do(f.Context(), func(ctx context.Context, repos ports.Repos) error {
		_, _, err := repos.TokenFamilies.LockByRefresh(ctx, f.addUser("other").ID, pair.Refresh)
		return err
	}), domain.NotFound, "the token of another user")

	later := f.now.Add(time.Second)
	require.NoError(f, f.Read().TokenFamilies.Spend(f.Context(), pair.ID, later))
	require.NoError(f, f.Read().TokenFamilies.Revoke(f.Context(), family.ID, later))
	require.NoError(f, f.Read().TokenFamilies.Revoke(f.Context(), family.ID, later.Add(time.Hour)))
	storedFamily, storedPair, err = lock(pair.Refresh)
	require.NoError(f, err, "a spent token is still found")
	require.Equal(f, later, storedPair.SpentAt)
	require.Equal(f, later, storedFamily.RevokedAt, "the first revocation counts")

	deleted := domain.NewUser(f.id(), "deleted", domain.RoleUser, f.now)
	orphan := domain.NewTokenFamily(f.id(), deleted, f.now, time.Hour)
	orphan.Keys = f.tokenKeys()
	require.ErrorIs(f, f.Read().TokenFamilies.Add(f.Context(), orphan), domain.Unauthenticated)
	for _, purpose := range []domain.KeyPurpose{domain.KeyForSessions, domain.KeyForTokens} {
		late := domain.NewTokenFamily(f.id(), user, f.now, time.Hour)
		late.Keys = f.tokenKeys()
		f.retire(f.keys[purpose])
		require.ErrorIs(f, f.Read().TokenFamilies.Add(f.Context(), late), ports.ErrStaleServerKey, purpose)
		f.keys[purpose] = f.addServerKey(purpose, 2)
	}
}

// refreshesOnce uses the same refresh token in several concurrent transactions. Only one of them may find it unused.
func refreshesOnce(f *fixture) {
	user := f.addUser("user")
	_, pair := f.addFamily(user, "user")
	var group sync.WaitGroup
	var refreshed atomic.Int64
	for range 8 {
		group.Go(func() {
			err := f.Do(f.Context(), func(ctx context.Context, repos ports.Repos) error {
				_, found, err := repos.TokenFamilies.LockByRefresh(ctx, user.ID, pair.Refresh)
				if err != nil || !found.SpentAt.IsZero() {
					return err
				}
				refreshed.Add(1)
				return repos.TokenFamilies.Spend(ctx, found.ID, f.now)
			})
			if err != nil {
				f.Errorf("refresh: %v", err)
			}
		})
	}
	group.Wait()
	require.Equal(f, int64(1), refreshed.Load())
}
