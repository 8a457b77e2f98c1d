package serverkeys_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/serverkeys"
	"github.com/lockbox-go/lockbox/ports"
)

// TestVerify verifies that Verify counts a row that a rekey has moved and a row that was stored after the rekey.
func TestVerify(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.user("anna", untouched)
	_, err := f.rekey(domain.KeyForAccounts)
	require.NoError(t, err)
	f.user("bert", untouched)
	opened, err := f.keys.Verify(t.Context())
	require.NoError(t, err)
	require.Equal(t, ports.SealedCounts{Passwords: 2}, opened)
}

// TestVerifyTampered verifies that Verify reports four kinds of damaged rows: a changed row, a row that was copied to
// another user, a row that refers to an unknown key, and a row that refers to a key of another purpose. Verify must
// still count all other rows as opened.
func TestVerifyTampered(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.user("anna", untouched)
	bert := f.user("bert", func(sealed []byte) { sealed[len(sealed)-1]++ })
	cora, dora := f.user("cora", untouched), f.user("dora", untouched)
	f.user("emil", untouched)
	f.Execute(t, `UPDATE users SET password = (SELECT password FROM users WHERE name = 'anna') WHERE name = 'cora'`)
	f.Execute(t, `UPDATE users SET password_key_id = gen_random_uuid() WHERE name = 'dora'`)
	f.Execute(t, `UPDATE users SET password_key_id = (SELECT id FROM server_keys WHERE purpose = 'session')
		WHERE name = 'emil'`)
	opened, err := f.keys.Verify(t.Context())
	require.Equal(t, ports.SealedCounts{Passwords: 1}, opened)
	var failed *serverkeys.UnopenedRowsError
	require.ErrorAs(t, err, &failed)
	require.Len(t, failed.Rows, 3)
	require.ErrorContains(t, err, "password of user "+bert.ID.String())
	require.ErrorContains(t, err, "password of user "+cora.ID.String())
	require.ErrorContains(t, err, "2 passwords refer to a server key that the database does not have")
	require.NotContains(t, err.Error(), dora.ID.String())
}
