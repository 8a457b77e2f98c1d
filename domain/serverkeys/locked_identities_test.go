package serverkeys_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/serverkeys"
	"github.com/lockbox-go/lockbox/ports"
)

// TestRekeyLockedIdentities replaces the server key for accounts. The rekey must encrypt locked identities again, under
// the new key. It must return an error that lists the locked identity that was tampered with.
func TestRekeyLockedIdentities(t *testing.T) {
	t.Parallel()
	f := open(t)
	identities := f.Store.Read().Identities
	users := []domain.User{f.user("anna", untouched), f.user("bert", untouched)}
	for i, user := range users {
		key, sealed, err := f.Sealer.SealAccount(t.Context(), ports.LockedIdentityPurpose, user.ID, []byte("locked"))
		require.NoError(t, err)
		if i == 1 {
			sealed[len(sealed)-1]++
		}
		require.NoError(t, identities.PutLocked(t.Context(), ports.SealedIdentity{
			User:      user.ID,
			ServerKey: key,
			Sealed:    sealed,
			CreatedAt: f.Clock.Now(),
		}))
	}
	done, err := f.rekey(domain.KeyForAccounts)
	require.Equal(t, 3, done, "two passwords and a locked identity")
	var tampered *serverkeys.TamperedRowsError
	require.ErrorAs(t, err, &tampered)
	require.Len(t, tampered.Rows, 1)
	require.ErrorContains(t, err, "locked identity of user "+users[1].ID.String())
	require.Equal(t, []int{2}, f.generations(domain.KeyForAccounts))
	stored, err := identities.Locked(t.Context(), users[0].ID)
	require.NoError(t, err)
	opened, err := f.Sealer.OpenAccount(t.Context(), ports.LockedIdentityPurpose, users[0].ID, stored.Sealed)
	require.NoError(t, err)
	require.Equal(t, "locked", string(opened))
	_, err = f.Sealer.OpenAccount(t.Context(), ports.LockedIdentityPurpose, users[1].ID, stored.Sealed)
	require.True(t, ports.IsTampered(err), "it was moved to another user")
}
