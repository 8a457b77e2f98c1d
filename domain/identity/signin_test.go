package identity_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/identity"
	"github.com/lockbox-go/lockbox/tests/usecases"
)

// TestGuessesAtOnce sends many guesses concurrently. It verifies that the server compares no more passwords than the
// limit allows.
func TestGuessesAtOnce(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.user("anna", "user")
	var group sync.WaitGroup
	for i := range 12 {
		group.Go(func() { _ = f.guess(fmt.Sprint("10.0.0.", i), "anna", "wrong-password") })
	}
	group.Wait()
	require.Equal(t, int64(3), f.Passwords.Compared.Load())
	require.ErrorIs(t, f.guess(stranger, "anna", "anna-password"), domain.RateLimited)
	require.Len(t, f.Audited(t, domain.ActionSignIn), 4, "three are denied, one event stands for the lockout")
}

// TestRightPasswordResets verifies that a sign-in with the right password resets the account's counter of attempts.
func TestRightPasswordResets(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.user("anna", "user")
	for range 3 {
		for range 2 {
			require.ErrorIs(t, f.guess(home, "anna", "wrong-password"), domain.ErrWrongCredentials)
		}
		require.NoError(t, f.guess(home, "anna", "anna-password"))
	}
}

// TestNotCompared verifies that an attempt does not count if the server was too busy to compare the password.
func TestNotCompared(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.user("anna", "user")
	f.Passwords.Busy.Store(true)
	for range 5 {
		require.ErrorIs(t, f.guess(home, "anna", "anna-password"), domain.Unavailable)
	}
	f.Passwords.Busy.Store(false)
	require.NoError(t, f.guess(home, "anna", "anna-password"))
}

// TestUnknownAndInactive signs in with an unknown username, an invalid username, and the username of an inactive user.
// Each sign-in must return the same error as a sign-in with a wrong password, and must compare the password.
func TestUnknownAndInactive(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.user("anna", "user")
	require.NoError(t, f.service.Operator().SetUserActive(f.ctx, "anna", false))
	for i, name := range []string{"ghost", "no name at all", "anna"} {
		require.ErrorIs(t, f.guess(home, name, "anna-password"), domain.ErrWrongCredentials)
		require.Equal(t, int64(i+1), f.Passwords.Compared.Load())
	}
	require.Equal(t, []string{"- denied -", "- denied -", "- denied anna"}, f.Audited(t, domain.ActionSignIn))
}

// TestCurrentPassword verifies that a user who changes the password must send the current one, and that wrong current
// passwords count as attempts.
func TestCurrentPassword(t *testing.T) {
	t.Parallel()
	f := open(t)
	user := f.user("anna", "user")
	change := identity.UpdateUser{Username: "anna", Password: to("another-password")}
	require.ErrorIs(t, f.update(user, change), domain.Invalid)
	change.CurrentPassword = "wrong-password"
	for range 3 {
		require.ErrorIs(t, f.update(user, change), domain.Forbidden)
	}
	change.CurrentPassword = "anna-password"
	require.ErrorIs(t, f.update(user, change), domain.RateLimited)
	require.Equal(t, []string{"anna denied anna", "anna denied anna", "anna denied anna", "- throttled anna"},
		f.Audited(t, domain.ActionSetPassword))
}

// TestCodeOnce sends two concurrent sign-ins with the same TOTP code. Exactly one of them must succeed.
func TestCodeOnce(t *testing.T) {
	t.Parallel()
	f := open(t)
	code := f.code(f.member("anna", "viewer"))
	signIn := func() error {
		_, err := f.service.Accounts().SignIn(f.ctx, usecases.From(home),
			identity.AccountsSignIn{Username: "anna", Code: code})
		return err
	}
	requireOneRefused(t, atOnce(signIn, signIn), domain.ErrCodeInvalid)
}

// TestSecretIsHiddenAfterUse verifies that the owner can see a user's TOTP secret only until the server has accepted a
// code of this secret.
func TestSecretIsHiddenAfterUse(t *testing.T) {
	t.Parallel()
	f := open(t)
	secret := f.member("anna", "viewer")
	again, err := f.service.Accounts().ShowTOTP(f.ctx, f.owner, "anna")
	require.NoError(t, err)
	require.Equal(t, secret, again.Secret)
	f.pair("anna", secret)
	_, err = f.service.Accounts().ShowTOTP(f.ctx, f.owner, "anna")
	require.ErrorIs(t, err, domain.ErrSecretHidden)
}

// TestSecondFactor verifies that a sign-in requires a code after the user has confirmed a TOTP secret, and that each
// recovery code works only once.
func TestSecondFactor(t *testing.T) {
	t.Parallel()
	f := open(t)
	user := f.user("anna", "user")
	enrolled, err := f.enrol(user, "anna", "")
	require.NoError(t, err)
	require.NoError(t, f.guess(home, "anna", "anna-password"), "not confirmed yet")
	require.NoError(t, f.confirm(user, "anna", f.code(enrolled.Enrolment.Secret)))
	for range 5 {
		require.ErrorIs(t, f.guess(home, "anna", "anna-password"), domain.ErrCodeRequired)
	}
	recovery := func() error {
		_, _, err := f.service.Authenticate(f.ctx, usecases.From(home), identity.Authenticate{
			Username: "anna",
			Password: "anna-password",
			Code:     enrolled.Recovery[0].String(),
		})
		return err
	}
	require.NoError(t, recovery())
	require.ErrorIs(t, recovery(), domain.ErrWrongCredentials)
}

// TestOwnTOTP verifies that users need a code to replace or remove their own confirmed secret, and that wrong codes
// count as attempts. An admin needs no code to remove the secret of another user.
func TestOwnTOTP(t *testing.T) {
	t.Parallel()
	f := open(t)
	user := f.user("anna", "user")
	enrolled, err := f.enrol(user, "anna", "")
	require.NoError(t, err)
	require.NoError(t, f.confirm(user, "anna", f.code(enrolled.Enrolment.Secret)))
	_, err = f.enrol(user, "anna", "")
	require.ErrorIs(t, err, domain.Invalid)
	_, err = f.enrol(user, "anna", f.code(enrolled.Enrolment.Secret))
	require.NoError(t, err)
	for range 3 {
		require.ErrorIs(t, f.service.RemoveTOTP(f.ctx, user, "anna", "000000"), domain.ErrWrongCode)
	}
	require.ErrorIs(t, f.service.RemoveTOTP(f.ctx, user, "anna", enrolled.Recovery[0].String()), domain.RateLimited)
	require.NoError(t, f.service.RemoveTOTP(f.ctx, f.owner, "anna", ""))
	require.ErrorIs(t, f.service.RemoveTOTP(f.ctx, f.owner, "anna", ""), domain.ErrNoCode)
	require.Equal(t, "root success anna", f.Audited(t, domain.ActionRemoveTOTP)[4])
}

// TestTwoFactorsDuringLockout signs in from new addresses during a lockout that strangers have caused. A sign-in with
// the right password and the right TOTP code must succeed. All other sign-ins must return the same error, after the
// same work.
func TestTwoFactorsDuringLockout(t *testing.T) {
	t.Parallel()
	f := open(t)
	user := f.user("anna", "user")
	f.user("bert", "user") // has no second factor
	enrolled, err := f.enrol(user, "anna", "")
	require.NoError(t, err)
	secret := enrolled.Enrolment.Secret
	require.NoError(t, f.confirm(user, "anna", f.code(secret)))
	lockOut := func() {
		for _, name := range []string{"anna", "bert", "ghost"} {
			for i := range 4 {
				_ = f.guess(fmt.Sprint("10.1.0.", i), name, "wrong-password")
			}
			require.ErrorIs(t, f.guess("10.1.0.9", name, name+"-password"), domain.RateLimited)
		}
	}
	next := 0
	signIn := func(name, password, code string) error {
		next++ // each attempt comes from a new address
		_, _, err := f.service.Authenticate(f.ctx, usecases.From(fmt.Sprint("10.2.0.", next)),
			identity.Authenticate{Username: name, Password: password, Code: code})
		return err
	}
	accounts := func(name, password, code string) error {
		next++
		_, err := f.service.Accounts().SignIn(f.ctx, usecases.From(fmt.Sprint("10.2.0.", next)),
			identity.AccountsSignIn{Username: name, Password: password, Code: code})
		return err
	}
	code := f.code(secret)
	lockOut()
	for _, sign := range []func(name, password, code string) error{signIn, accounts} {
		for _, refused := range [][3]string{
			{"anna", "anna-password", "000000"}, {"anna", "wrong-password", code}, {"anna", "anna-password", ""},
			{"bert", "bert-password", "000000"}, {"ghost", "ghost-password", "000000"},
		} {
			if refused[2] == "" && sign("anna", "anna-password", "") != nil {
				continue // the accounts API requires a code
			}
			compared := f.Passwords.Compared.Load()
			require.ErrorIs(t, sign(refused[0], refused[1], refused[2]), domain.RateLimited, refused)
			require.Equal(t, compared+1, f.Passwords.Compared.Load(), "the work is the same: %v", refused)
		}
	}
	require.ErrorIs(t, signIn("anna", "anna-password", enrolled.Recovery[0].String()), domain.RateLimited)
	require.NoError(t, signIn("anna", "anna-password", code))
	code = f.code(secret)
	lockOut()
	require.NoError(t, accounts("anna", "anna-password", code))
	require.ErrorIs(t, accounts("anna", "anna-password", code), domain.RateLimited, "a code works once")
}

// TestLearnPasswords verifies that LearnPasswords passes each intact password hash to ports.Passwords.Learn and skips a
// damaged one.
func TestLearnPasswords(t *testing.T) {
	t.Parallel()
	f := open(t)
	for _, name := range []string{"anna", "bert", "carla"} {
		f.user(name, "user")
	}
	f.member("coded", "viewer") // has no password
	f.Execute(t, `UPDATE users SET password = set_byte(password, 50, get_byte(password, 50) # 1) WHERE name = 'bert'`)
	require.NoError(t, f.service.LearnPasswords(f.ctx))
	require.Equal(t, int64(3), f.Passwords.Learned.Load(), "root, anna and carla")
}
