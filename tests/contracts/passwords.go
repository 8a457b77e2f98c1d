package contracts

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// Passwords is the suite of ports.Passwords. It does not examine the hash, because a test double need not compute one.
func Passwords(t *testing.T, passwords ports.Passwords) {
	t.Helper()
	password := domain.NewSecret("correct horse")
	stored, err := passwords.Hash(t.Context(), password)
	require.NoError(t, err)
	require.Equal(t, "correct horse", string(password.Bytes()), "Hash does not clear the password")
	for text, match := range map[string]bool{
		"correct horse": true, "correct horse ": false, "Correct horse": false, "": false,
	} {
		check, err := passwords.Check(t.Context(), domain.NewSecret(text), stored)
		require.NoError(t, err)
		require.Equal(t, ports.PasswordCheck{Match: match}, check, "%q", text)
	}
	for _, text := range []string{"correct horse", ""} {
		check, err := passwords.Check(t.Context(), domain.NewSecret(text), nil)
		require.NoError(t, err)
		require.Zero(t, check, "an unknown user has no password")
	}
}
