package identity_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/identity"
)

// TestEnrolmentNeedsPassword verifies that a token is not enough to enrol or confirm a TOTP secret: the request must
// also contain the password. It also verifies that wrong passwords count as attempts.
func TestEnrolmentNeedsPassword(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"API key", "session"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			f := open(t)
			stolen := f.user("anna", "user")
			if kind == "session" {
				stolen = f.session("anna")
			}
			enrol := func(password string) error {
				_, err := f.service.EnrolTOTP(f.ctx, stolen,
					identity.EnrolTOTP{Username: "anna", CurrentPassword: password})
				return err
			}
			require.ErrorIs(t, enrol(""), domain.ErrPasswordForTOTP)
			enrolled, err := f.enrol(stolen, "anna", "")
			require.NoError(t, err)
			code := f.code(enrolled.Enrolment.Secret)
			confirm := identity.ConfirmTOTP{Username: "anna", Code: code}
			require.ErrorIs(t, f.service.ConfirmTOTP(f.ctx, stolen, confirm), domain.ErrPasswordForTOTP)
			for range 3 {
				require.Equal(t, "current_password_wrong", domain.CodeOf(enrol("wrong-password")))
			}
			require.ErrorIs(t, enrol("anna-password"), domain.RateLimited)
			require.NoError(t, f.service.Operator().UnlockUser(f.ctx, "anna"))
			require.NoError(t, f.confirm(stolen, "anna", code))
		})
	}
}

// TestEnrolmentDecidesAgain verifies that an enrolment is refused if another request changes the user's password while
// the enrolment compares the password.
func TestEnrolmentDecidesAgain(t *testing.T) {
	t.Parallel()
	f := open(t)
	user := f.user("anna", "user")
	f.Passwords.During = func() {
		require.NoError(t, f.update(f.owner, identity.UpdateUser{Username: "anna", Password: to("another-password")}))
	}
	_, err := f.enrol(user, "anna", "")
	require.ErrorIs(t, err, domain.ErrPasswordChanged)
}

// TestFirstPasswordNeedsCode verifies that a token is not enough to set a user's first password: the request must also
// contain a code. It also verifies that each code works only once, and that wrong codes count as attempts.
func TestFirstPasswordNeedsCode(t *testing.T) {
	t.Parallel()
	f := open(t)
	secret := f.member("anna", "manager")
	stolen := f.access(f.pair("anna", secret).Access)
	first := identity.UpdateUser{Username: "anna", Password: to("anna-password")}
	require.ErrorIs(t, f.update(stolen, first), domain.ErrCodeForPassword)
	used := f.Code(t, secret)
	for _, wrong := range []string{"000000", "no code", used} { // used is the code of the sign-in
		first.Code = wrong
		require.ErrorIs(t, f.update(stolen, first), domain.ErrWrongCode)
	}
	require.ErrorIs(t, f.update(stolen, first), domain.RateLimited)
	require.NoError(t, f.service.Operator().UnlockUser(f.ctx, "anna"))
	first.Code = f.code(secret)
	require.NoError(t, f.update(stolen, first))
	require.False(t, f.authenticates(stolen), "a new password revokes the sessions")
	require.NoError(t, f.service.Operator().UnlockUser(f.ctx, "anna"))
	require.ErrorIs(t, f.guess(home, "anna", "anna-password"), domain.ErrCodeRequired)
	require.Equal(t, []string{"anna denied anna", "anna denied anna", "anna denied anna", "- throttled anna",
		"anna success anna"}, f.Audited(t, domain.ActionSetPassword))
}

// TestFirstPasswordWithoutSecret verifies that a user who has no password and no TOTP secret cannot set a password, but
// that an admin can set one for this user.
func TestFirstPasswordWithoutSecret(t *testing.T) {
	t.Parallel()
	f := open(t)
	secret := f.member("anna", "manager")
	user := f.access(f.pair("anna", secret).Access)
	require.NoError(t, f.service.RemoveTOTP(f.ctx, f.owner, "anna", ""))
	first := identity.UpdateUser{Username: "anna", Password: to("anna-password"), Code: f.code(secret)}
	require.ErrorIs(t, f.update(user, first), domain.ErrWrongCode)
	first.Code = ""
	require.ErrorIs(t, f.update(user, first), domain.ErrCodeForPassword)
	require.NoError(t, f.update(f.owner, first))
	require.NoError(t, f.guess(home, "anna", "anna-password"))
}

// TestFirstPasswordCodeOnce sends two concurrent requests that set a first password with the same code. Exactly one of
// them must succeed.
func TestFirstPasswordCodeOnce(t *testing.T) {
	t.Parallel()
	f := open(t)
	secret := f.member("anna", "manager")
	first := identity.UpdateUser{Username: "anna", Password: to("anna-password")}
	pairs := []identity.TokenPair{f.pair("anna", secret), f.pair("anna", secret)}
	first.Code = f.code(secret)
	set := func(pair identity.TokenPair) func() error {
		return func() error { return f.update(f.access(pair.Access), first) }
	}
	succeeded := 0
	for _, err := range atOnce(set(pairs[0]), set(pairs[1])) {
		if err == nil {
			succeeded++
		}
	}
	require.Equal(t, 1, succeeded)
}
