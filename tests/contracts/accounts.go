package contracts

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// AccountSealerFixture holds an implementation of ports.AccountSealer, and a function that replaces its server key.
type AccountSealerFixture struct {
	Sealer ports.AccountSealer
	// Rekey adds a server key for accounts, retires the current one, and returns the identifier of the new one.
	Rekey func(t *testing.T) domain.ServerKeyID
}

// AccountSealer is the conformance suite of ports.AccountSealer.
func AccountSealer(t *testing.T, open func(t *testing.T) AccountSealerFixture) {
	t.Helper()
	run(t, open, map[string]func(*testing.T, AccountSealerFixture){
		"RoundTrip": accountsRoundTrip,
		"Binding":   accountsAreBound,
		"Tampering": accountsTampering,
		"Rekey":     accountsRekey,
	})
}

var sealedUser = domain.UserID{1}

func (f AccountSealerFixture) seal(t *testing.T, text string) (domain.ServerKeyID, []byte) {
	t.Helper()
	id, sealed, err := f.Sealer.SealAccount(t.Context(), ports.PasswordPurpose, sealedUser, []byte(text))
	require.NoError(t, err)
	return id, sealed
}

func accountsRoundTrip(t *testing.T, f AccountSealerFixture) {
	for _, text := range []string{"a password hash", ""} {
		_, sealed := f.seal(t, text)
		opened, err := f.Sealer.OpenAccount(t.Context(), ports.PasswordPurpose, sealedUser, sealed)
		require.NoError(t, err)
		require.Equal(t, text, string(opened))
		require.NotContains(t, string(sealed), "a password hash")
		_, again := f.seal(t, text)
		require.NotEqual(t, sealed, again, "equal hashes must have different sealed forms")
	}
}

func accountsAreBound(t *testing.T, f AccountSealerFixture) {
	_, sealed := f.seal(t, "a password hash")
	_, err := f.Sealer.OpenAccount(t.Context(), ports.TOTPPurpose, sealedUser, sealed)
	requireTampered(t, err, "moved to another purpose")
	_, err = f.Sealer.OpenAccount(t.Context(), ports.PasswordPurpose, domain.UserID{2}, sealed)
	requireTampered(t, err, "moved to another user")
}

func accountsTampering(t *testing.T, f AccountSealerFixture) {
	_, sealed := f.seal(t, "a password hash")
	for _, changed := range damaged(sealed) {
		opened, err := f.Sealer.OpenAccount(t.Context(), ports.PasswordPurpose, sealedUser, changed)
		requireTampered(t, err)
		require.Nil(t, opened)
	}
}

func accountsRekey(t *testing.T, f AccountSealerFixture) {
	first, before := f.seal(t, "a password hash")
	second := f.Rekey(t)
	require.NotEqual(t, first, second)
	now, _ := f.seal(t, "a password hash")
	require.Equal(t, second, now)
	opened, err := f.Sealer.OpenAccount(t.Context(), ports.PasswordPurpose, sealedUser, before)
	require.NoError(t, err, "a retired key still opens")
	require.Equal(t, "a password hash", string(opened))
}
