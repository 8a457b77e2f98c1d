package sealing

import (
	"bytes"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

func TestAccounts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := NewAccountSealer(r.keys, nil)
	user, other := domain.UserID{1}, domain.UserID{2}
	phc := []byte("$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA")
	for _, text := range [][]byte{phc, nil} {
		id, sealed, err := s.SealAccount(t.Context(), "password", user, text)
		require.NoError(t, err)
		current, _ := r.keys.Current(domain.KeyForAccounts)
		require.Equal(t, current, id)
		require.Equal(t, current[:], sealed[:16])
		require.Len(t, sealed, 16+24+16+len(text))
		opened, err := s.OpenAccount(t.Context(), "password", user, sealed)
		require.NoError(t, err)
		require.Equal(t, string(text), string(opened))

		refused := func(purpose string, user domain.UserID, sealed []byte) {
			t.Helper()
			r.clock.advance(reloadInterval)
			opened, err := s.OpenAccount(t.Context(), purpose, user, sealed)
			require.True(t, ports.IsTampered(err))
			require.ErrorContains(t, err, purpose)
			require.Nil(t, opened)
		}
		refused("password", other, sealed)
		refused("totp", user, sealed)
		for i := range sealed {
			changed := bytes.Clone(sealed)
			changed[i] ^= 1
			refused("password", user, changed)
			refused("password", user, sealed[:i])
		}
		refused("password", user, append(bytes.Clone(sealed), 0))
	}
}

func TestAccountsAfterRekey(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := NewAccountSealer(r.keys, nil)
	first, before, err := s.SealAccount(t.Context(), "password", domain.UserID{1}, []byte("text"))
	require.NoError(t, err)
	second := r.store.rekey(t, r.keys, domain.KeyForAccounts, 2)
	require.NoError(t, r.keys.Reload(t.Context()))
	now, _, err := s.SealAccount(t.Context(), "password", domain.UserID{1}, []byte("text"))
	require.NoError(t, err)
	require.Equal(t, second, now)
	opened, err := s.OpenAccount(t.Context(), "password", domain.UserID{1}, before)
	require.NoError(t, err)
	require.Equal(t, "text", string(opened))

	require.NoError(t, r.store.DeleteRetired(t.Context(), first, 0))
	require.NoError(t, r.keys.Reload(t.Context()))
	_, err = s.OpenAccount(t.Context(), "password", domain.UserID{1}, before)
	require.True(t, ports.IsTampered(err), "no such key exists")

	r.store.fail = errors.New("down")
	r.clock.advance(reloadInterval)
	_, err = s.OpenAccount(t.Context(), "password", domain.UserID{1}, before)
	require.ErrorContains(t, err, "down")
	require.False(t, ports.IsTampered(err), "a database error is not reported as tampering")
}
