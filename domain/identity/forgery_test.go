package identity_test

import (
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/identity"
	"github.com/lockbox-go/lockbox/ports"
	"github.com/lockbox-go/lockbox/tests/usecases"
)

// In these tests, the attacker has an account and can write to the database, but has no server key. The tests cover
// every table whose rows authenticate a user.

// owned returns an SQL expression for the id of the named user.
func owned(name string) string { return `(SELECT id FROM users WHERE name = '` + name + `')` }

// TestForgedTokenRows verifies that forged rows of opaque tokens do not authenticate the attacker as another user. The
// attacker inserts a row with an unkeyed hash of a token, or assigns the rows of the attacker's own tokens to the other
// user.
func TestForgedTokenRows(t *testing.T) {
	t.Parallel()
	victimFamily := `(SELECT id FROM token_families WHERE user_id = ` + owned("victim") + `)`
	plain := domain.NewOpaqueToken(domain.UserID{1})
	for name, sql := range map[string]string{
		"a plain hash of an earlier release": fmt.Sprintf(`INSERT INTO token_pairs
				(id, family_id, access_hash, refresh_hash, access_expires_at, created_at)
			VALUES (gen_random_uuid(), %s, '\x%x', '\x%x', now() + interval '1 hour', now())`, victimFamily,
			sha256.Sum256(plain[:]), sha256.Sum256(plain[:])),
		"the thief's family": `UPDATE token_families SET user_id = ` + owned("victim"),
		"the thief's pair":   `UPDATE token_pairs SET family_id = ` + victimFamily,
		"the thief's pair alone": `DELETE FROM token_pairs WHERE family_id = ` + victimFamily + `;
			UPDATE token_pairs SET family_id = ` + victimFamily,
		"the thief's refresh token as access token": `UPDATE token_pairs SET family_id = ` + victimFamily + `;
			UPDATE token_pairs SET (access_hash, refresh_hash) = (refresh_hash, access_hash)`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := open(t)
			f.pair("victim", f.member("victim", "manager"))
			thief := f.pair("thief", f.member("thief", "viewer"))
			f.Execute(t, sql)
			for _, token := range []domain.OpaqueToken{plain, thief.Access, thief.Refresh} {
				who, _ := f.service.WhoAmI(f.ctx, f.access(token))
				require.NotEqual(t, domain.UserName("victim"), who.Name)
				next, err := f.refresh(token)
				who, _ = f.service.WhoAmI(f.ctx, f.access(next.Access))
				require.NotEqual(t, domain.UserName("victim"), who.Name)
				if token == plain {
					require.ErrorIs(t, err, domain.ErrRefreshToken)
				}
			}
		})
	}
}

// TestForgedSignedTokenRows verifies that an attacker cannot authenticate as another user by assigning the row of the
// attacker's own API key or session to that user.
func TestForgedSignedTokenRows(t *testing.T) {
	t.Parallel()
	for _, table := range []string{"api_keys", "sessions"} {
		t.Run(table, func(t *testing.T) {
			t.Parallel()
			f := open(t)
			f.user("victim", "admin")
			thief := []domain.Requester{f.user("thief", "user"), f.session("thief")}
			f.Execute(t, `UPDATE `+table+` SET user_id = `+owned("victim"))
			for _, by := range thief {
				who, _ := f.service.WhoAmI(f.ctx, by)
				require.NotEqual(t, domain.UserName("victim"), who.Name)
			}
		})
	}
}

// TestForgedSecrets verifies that a sealed password or TOTP secret is refused as tampered after it was copied to
// another user.
func TestForgedSecrets(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.user("victim", "admin")
	f.user("thief", "user")
	f.Execute(t, `UPDATE users v SET (password, password_key_id) = (SELECT password, password_key_id FROM users
		WHERE name = 'thief') WHERE name = 'victim'`)
	require.True(t, ports.IsTampered(f.guess(stranger, "victim", "thief-password")))

	f.member("coded", "manager")
	secret := f.member("coder", "viewer")
	signIn := func() error {
		_, err := f.service.Accounts().SignIn(f.ctx, usecases.From(stranger),
			identity.AccountsSignIn{Username: "coded", Code: f.code(secret)})
		return err
	}
	f.Execute(t, `UPDATE one_time_codes SET (secret, key_id) = (SELECT secret, key_id FROM one_time_codes
		WHERE user_id = `+owned("coder")+`) WHERE user_id = `+owned("coded"))
	require.True(t, ports.IsTampered(signIn()))
	f.Execute(t, `DELETE FROM one_time_codes WHERE user_id = `+owned("coded")+`; UPDATE one_time_codes SET user_id = `+
		owned("coded"))
	require.True(t, ports.IsTampered(signIn()))
}

// TestForgedRecoveryCodes verifies that an attacker who knows the password of an account cannot forge a recovery code
// for the account.
func TestForgedRecoveryCodes(t *testing.T) {
	t.Parallel()
	made := domain.RecoveryCode{1, 2, 3}
	const victimSecret = `(SELECT t.id FROM one_time_codes t JOIN users u ON u.id = t.user_id WHERE u.name = 'victim')`
	for name, sql := range map[string]string{
		"a plain hash": fmt.Sprintf(`INSERT INTO recovery_codes (code_id, hash) VALUES (%s, '\x%x')`, victimSecret,
			made.Hash()),
		"a plain hash under a key": fmt.Sprintf(`INSERT INTO recovery_codes (code_id, hash, key_id)
			SELECT %s, '\x%x', id FROM server_keys WHERE purpose = 'token'`, victimSecret, made.Hash()),
		"the thief's codes": `UPDATE recovery_codes SET code_id = ` + victimSecret + ` WHERE code_id <> ` +
			victimSecret,
		"the thief's codes and secret": `DELETE FROM recovery_codes WHERE code_id = ` + victimSecret + `; UPDATE
			one_time_codes SET pending = true WHERE user_id = ` + owned("victim") + `; UPDATE one_time_codes
			SET user_id = ` + owned("victim") + ` WHERE NOT pending`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := open(t)
			f.secondFactor("victim")
			codes := append(f.secondFactor("thief"), made)
			f.Execute(t, sql)
			for i, code := range codes {
				_, _, err := f.service.Authenticate(f.ctx, usecases.From(fmt.Sprint("10.0.0.", i)),
					identity.Authenticate{Username: "victim", Password: "victim-password", Code: code.String()})
				require.Error(t, err)
				require.NoError(t, f.service.Operator().UnlockUser(f.ctx, "victim"))
			}
		})
	}
}

// secondFactor creates a user who has a password and a confirmed TOTP secret. It returns the user's recovery codes.
func (f fixture) secondFactor(name string) []domain.RecoveryCode {
	f.t.Helper()
	by := f.user(name, "user")
	enrolled, err := f.enrol(by, name, "")
	require.NoError(f.t, err)
	require.NoError(f.t, f.confirm(by, name, f.code(enrolled.Enrolment.Secret)))
	return enrolled.Recovery
}

// TestInvitationOfOlderRelease verifies that an invitation of an older release stays valid. Such an invitation has no
// key_id, and its proof was made with the server key whose purpose is "throttle". The test also verifies that an
// invitation of this release is refused if an attacker has deleted its key_id.
func TestInvitationOfOlderRelease(t *testing.T) {
	t.Parallel()
	f := open(t)
	text := f.invite(identity.InviteUser{Username: "anna"})
	code, ok := domain.ParseInvitationCode(text)
	require.True(t, ok)
	invitation, err := f.Store.Read().Invitations.Get(f.ctx, code.ID)
	require.NoError(t, err)
	f.Execute(t, `UPDATE invitations SET key_id = NULL`)
	require.ErrorIs(t, f.join(home, text, "anna-password"), domain.ErrInvitationInvalid)
	former := f.Digests.Digest("invitation", invitation.Terms(code)...)
	f.Execute(t, fmt.Sprintf(`UPDATE invitations SET proof = '\x%x'`, former))
	require.NoError(t, f.join(home, text, "anna-password"))
}
