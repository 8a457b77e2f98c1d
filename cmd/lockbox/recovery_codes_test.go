package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/tests/pgtest"
)

// TestRecoveryCodesCommand verifies that the command changes nothing without a flag, and what it prints.
func TestRecoveryCodesCommand(t *testing.T) {
	c := newOperator(t)
	c.run("user", "create", "-u", "root", "-g", "owner")
	require.Equal(t, "no recovery codes of an older release are stored\n", c.run("secret", "recovery-codes"))
	plain := func(numbers string) {
		require.Positive(t, pgtest.Number(t, c.database, `WITH added AS (INSERT INTO recovery_codes (code_id, hash)
			SELECT t.id, sha256(n::text::bytea) FROM one_time_codes t, generate_series(`+numbers+`) n RETURNING 1)
			SELECT count(*) FROM added`))
	}
	plain("1, 3")
	for range 2 {
		require.Equal(t, "USER  CODES\nroot  3\n\nSign-ins refuse these 3 codes of 1 users. Nothing is changed. To "+
			"make them valid or to delete them, run one of\n  lockbox secret recovery-codes --convert=3\n  lockbox "+
			"secret recovery-codes --delete\n", c.run("secret", "recovery-codes"))
	}
	c.refused("--convert and --delete cannot be combined", "secret", "recovery-codes", "--convert=3", "--delete")
	c.refused("now has 3 recovery codes without a key, but 2 were expected", "secret", "recovery-codes", "--convert=2")
	c.refused("now has 3 recovery codes without a key, but 0 were expected", "secret", "recovery-codes", "--convert=0")
	require.Equal(t, "3 recovery codes are converted\n", c.run("secret", "recovery-codes", "--convert=3"))
	plain("4, 40")
	out, err := c.try("", "secret", "recovery-codes", "--convert=37")
	require.ErrorContains(t, err, "user root has more than 20 recovery codes without a key")
	require.Contains(t, out, "0 recovery codes are converted")
	require.Equal(t, "37 recovery codes are deleted\n", c.run("secret", "recovery-codes", "--delete"))
	require.Equal(t, 3, pgtest.Number(t, c.database, `SELECT count(*) FROM recovery_codes`))
}
