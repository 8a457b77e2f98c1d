package contracts

import (
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// KeyringFixture holds an implementation of ports.Keyring and the store of its server keys.
type KeyringFixture struct {
	Keyring ports.Keyring
	Store   ports.ServerKeys
	// FailStore makes all later calls of the methods of Store return err. If err is nil, the methods work again.
	FailStore func(err error)
	// OpenRotated opens a second key ring over Store. The second key ring has a new installation secret. Its previous
	// secret is the current secret of Keyring.
	OpenRotated func(t *testing.T) ports.Keyring
}

// Keyring is the suite of ports.Keyring.
func Keyring(t *testing.T, open func(t *testing.T) KeyringFixture) {
	t.Helper()
	run(t, open, map[string]func(*testing.T, KeyringFixture){
		"NewKey": keyringNewKey,
		"Reload": keyringReload,
		"Rewrap": keyringRewrap,
		"Status": keyringStatus,
	})
}

func keyringNewKey(t *testing.T, f KeyringFixture) {
	before := f.Keyring.Status()
	key, err := f.Keyring.NewKey(domain.KeyForEntries, 2)
	require.NoError(t, err)
	require.Equal(t, domain.KeyForEntries, key.Purpose)
	require.Equal(t, 2, key.Generation)
	require.True(t, key.RetiredAt.IsZero())
	require.False(t, key.CreatedAt.IsZero())
	require.Len(t, key.Wrapped, 24+32+16)
	other, err := f.Keyring.NewKey(domain.KeyForEntries, 2)
	require.NoError(t, err)
	require.NotEqual(t, key.ID, other.ID)
	require.NotEqual(t, key.Wrapped, other.Wrapped)
	require.NoError(t, f.Keyring.Reload(t.Context()))
	require.Equal(t, before, f.Keyring.Status(), "the caller stores the key")

	require.NoError(t, f.Store.Add(t.Context(), []ports.ServerKey{key}))
	require.Equal(t, before, f.Keyring.Status(), "the key ring has no new key before the next Reload")
	require.NoError(t, f.Keyring.Reload(t.Context()))
	require.Contains(t, f.Keyring.Status(), ports.KeyStatus{
		ID:         key.ID,
		Purpose:    key.Purpose,
		Generation: 2,
		CreatedAt:  key.CreatedAt,
	})
}

func keyringReload(t *testing.T, f KeyringFixture) {
	before := f.Keyring.Status()
	down := errors.New("down")
	f.FailStore(down)
	require.ErrorIs(t, f.Keyring.Reload(t.Context()), down)
	require.Equal(t, before, f.Keyring.Status(), "the keys in memory stay in use")
	f.FailStore(nil)

	foreign, err := f.Keyring.NewKey(domain.KeyForEntries, 2)
	require.NoError(t, err)
	foreign.Wrapped[0] ^= 1
	require.NoError(t, f.Store.Add(t.Context(), []ports.ServerKey{foreign}))
	require.Error(t, f.Keyring.Reload(t.Context()), "the secret does not unwrap the added key")
	require.Equal(t, before, f.Keyring.Status())
}

func keyringRewrap(t *testing.T, f KeyringFixture) {
	rotated := f.OpenRotated(t)
	for _, status := range rotated.Status() {
		require.True(t, status.UnderPrevious)
	}
	keys, err := f.Store.List(t.Context())
	require.NoError(t, err)
	rewrapped, err := rotated.Rewrap(keys)
	require.NoError(t, err)
	require.Len(t, rewrapped, len(keys))
	for i, key := range rewrapped {
		require.NotEqual(t, keys[i].Wrapped, key.Wrapped)
		key.Wrapped = keys[i].Wrapped
		require.Equal(t, keys[i], key, "only the wrapping changes")
	}
	_, err = f.Keyring.Rewrap(rewrapped)
	require.Error(t, err, "the former secret does not unwrap the keys")
	rewrapped, err = rotated.Rewrap(rewrapped)
	require.NoError(t, err, "keys under the current secret can be rewrapped again")

	require.NoError(t, f.Store.Rewrap(t.Context(), rewrapped))
	require.NoError(t, rotated.Reload(t.Context()))
	for _, status := range rotated.Status() {
		require.False(t, status.UnderPrevious)
	}
}

func keyringStatus(t *testing.T, f KeyringFixture) {
	second, err := f.Keyring.NewKey(domain.KeyForAccounts, 2)
	require.NoError(t, err)
	require.NoError(t, f.Store.Add(t.Context(), []ports.ServerKey{second}))
	first := f.Keyring.Status()[slices.Index(domain.KeyPurposes(), domain.KeyForAccounts)]
	require.NoError(t, f.Store.Retire(t.Context(), first.ID, second.CreatedAt))
	require.NoError(t, f.Keyring.Reload(t.Context()))
	var purposes []domain.KeyPurpose
	for _, status := range f.Keyring.Status() {
		purposes = append(purposes, status.Purpose)
		require.Equal(t, status.ID == second.ID, status.Generation == 2)
		require.Equal(t, status.ID == first.ID, !status.RetiredAt.IsZero())
	}
	want := slices.Insert(domain.KeyPurposes(), slices.Index(domain.KeyPurposes(), domain.KeyForAccounts),
		domain.KeyForAccounts)
	require.Equal(t, want, purposes)
}
