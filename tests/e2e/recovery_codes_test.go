package e2e

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
)

// TestPlainRecoveryCodesAreRefused adds a recovery code in the format of an older release to the database. An attacker
// without the secret can do the same. The code must not become valid when a server starts. It becomes valid only when
// an operator runs the command lockbox secret recovery-codes.
func TestPlainRecoveryCodesAreRefused(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	root.user("anna").enrol("anna")
	forged := domain.RecoveryCode{1, 2, 3}
	run(t, s.db, fmt.Sprintf(`INSERT INTO recovery_codes (code_id, hash) SELECT id, '\x%x' FROM one_time_codes`,
		forged.Hash()))
	run(t, s.db, `UPDATE system SET recovery_codes_keyed = false`)
	signIn := func(s *server) *answer {
		return s.as("").do("POST", "/authenticate", passwordAndCode("anna", "anna-password", forged.String()))
	}
	signIn(s).refuses(401, "wrong_credentials")
	s.stop()

	again := startOn(t, s.db)
	signIn(again).refuses(401, "wrong_credentials")
	require.Contains(t, again.log.String(), `"msg":"recovery codes of an older release are refused: run lockbox `+
		`secret recovery-codes","codes":1,"users":1}`)

	converted, err := serverKeys(t, s.db).ConvertRecoveryCodes(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, 1, converted)
	event := root.at(again).lastEvent("recovery-code.convert")
	require.Equal(t, []any{"(terminal)", "anna"}, []any{event["actor"], event["target"]})
	signIn(again).expect(200)
	signIn(again).refuses(401, "wrong_credentials")
	require.NotContains(t, startOn(t, s.db).log.String(), "recovery codes of an older release")
}
