package identity_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain/identity"
	"github.com/lockbox-go/lockbox/tests/usecases"
)

// TestUndetectedChangesOfSignIn changes rows in the database in ways that a sign-in does not detect; SECURITY.md lists
// these changes. It verifies that each change has the effect that SECURITY.md describes.
func TestUndetectedChangesOfSignIn(t *testing.T) {
	t.Parallel()
	for name, sql := range map[string]string{
		"delete":     `DELETE FROM one_time_codes`,
		"un-confirm": `UPDATE one_time_codes SET pending = true`,
	} {
		t.Run("TOTP "+name, func(t *testing.T) {
			t.Parallel()
			f := open(t)
			f.secondFactor("anna")
			require.Error(t, f.guess(home, "anna", "anna-password"))
			f.Execute(t, sql)
			require.NoError(t, f.guess(home, "anna", "anna-password"))
		})
	}
	t.Run("password", func(t *testing.T) {
		t.Parallel()
		f := open(t)
		by := f.user("anna", "user")
		f.user("bert", "user")
		enrolled, err := f.enrol(by, "anna", "")
		require.NoError(t, err)
		require.NoError(t, f.confirm(by, "anna", f.code(enrolled.Enrolment.Secret)))
		f.Execute(t, `UPDATE users SET password = NULL`)
		f.Execute(t, `UPDATE one_time_codes SET last_step = 0`)
		for _, name := range []string{"anna", "bert"} {
			require.Error(t, f.guess(home, name, name+"-password"))
			require.Error(t, f.guess(home, name, ""))
		}
		_, err = f.service.Accounts().SignIn(f.ctx, usecases.From(home),
			identity.AccountsSignIn{Username: "anna", Code: f.code(enrolled.Enrolment.Secret)})
		require.NoError(t, err)
		_, err = f.service.Accounts().SignIn(f.ctx, usecases.From(home),
			identity.AccountsSignIn{Username: "bert", Code: "000000"})
		require.Error(t, err)
	})
	t.Run("last step", func(t *testing.T) {
		t.Parallel()
		f := open(t)
		secret := f.member("anna", "viewer")
		in := identity.AccountsSignIn{Username: "anna", Code: f.code(secret)}
		signIn := func() error {
			_, err := f.service.Accounts().SignIn(f.ctx, usecases.From(home), in)
			return err
		}
		require.NoError(t, signIn())
		require.Error(t, signIn())
		f.Execute(t, `UPDATE one_time_codes SET last_step = 0`)
		require.NoError(t, signIn())
	})
	t.Run("throttle", func(t *testing.T) {
		t.Parallel()
		f := open(t)
		f.user("anna", "user")
		for range 5 {
			require.Error(t, f.guess(stranger, "anna", "wrong-password"))
		}
		require.Error(t, f.guess(stranger, "anna", "anna-password"))
		f.Execute(t, `DELETE FROM throttle`)
		require.NoError(t, f.guess(stranger, "anna", "anna-password"))
	})
	t.Run("names", func(t *testing.T) {
		t.Parallel()
		f := open(t)
		f.user("anna", "user")
		f.user("bert", "user")
		f.Execute(t, `UPDATE users SET name = 'spare' WHERE name = 'anna'`)
		f.Execute(t, `UPDATE users SET name = 'anna' WHERE name = 'bert'`)
		f.Execute(t, `UPDATE users SET name = 'bert' WHERE name = 'spare'`)
		require.NoError(t, f.guess(home, "bert", "anna-password"))
		require.NoError(t, f.guess(home, "anna", "bert-password"))
	})
}
