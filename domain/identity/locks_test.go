package identity_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/identity"
	"github.com/lockbox-go/lockbox/tests/usecases"
)

// atOnce runs two functions concurrently and returns their errors.
func atOnce(first, second func() error) (errs [2]error) {
	var group sync.WaitGroup
	group.Go(func() { errs[0] = first() })
	group.Go(func() { errs[1] = second() })
	group.Wait()
	return errs
}

// requireOneRefused requires that one of the two errors is nil and the other is the given refusal.
func requireOneRefused(t *testing.T, errs [2]error, refusal error) {
	t.Helper()
	if errs[0] == nil {
		errs[0], errs[1] = errs[1], errs[0]
	}
	require.ErrorIs(t, errs[0], refusal)
	require.NoError(t, errs[1])
}

// TestCreateUserDecidesAgain verifies that an admin who is demoted while the password is hashed cannot create an
// admin.
func TestCreateUserDecidesAgain(t *testing.T) {
	t.Parallel()
	f := open(t)
	admin := f.user("boss", "admin")
	f.Passwords.During = func() {
		require.NoError(t, f.update(f.owner, identity.UpdateUser{Username: "boss", Role: to("user")}))
	}
	_, err := f.service.CreateUser(f.ctx, admin,
		identity.CreateUser{Username: "anna", Password: "anna-password", Role: "admin"})
	require.ErrorIs(t, err, domain.ErrAdminOnly)
}

// TestUpdateUserDecidesAgain verifies that an admin who is deactivated while the password is hashed cannot set a
// password.
func TestUpdateUserDecidesAgain(t *testing.T) {
	t.Parallel()
	f := open(t)
	admin := f.user("boss", "admin")
	f.user("anna", "user")
	f.Passwords.During = func() {
		require.NoError(t, f.update(f.owner, identity.UpdateUser{Username: "boss", Active: to(false)}))
	}
	err := f.update(admin, identity.UpdateUser{Username: "anna", Password: to("another-password")})
	require.ErrorIs(t, err, domain.Unauthenticated)
	require.NoError(t, f.guess(home, "anna", "anna-password"))
}

// TestPasswordChangedMeanwhile verifies that a request to change a password fails if another request changes the
// password while the new one is hashed.
func TestPasswordChangedMeanwhile(t *testing.T) {
	t.Parallel()
	f := open(t)
	user := f.user("anna", "user")
	f.Passwords.During = func() {
		require.NoError(t, f.update(f.owner, identity.UpdateUser{Username: "anna", Password: to("from-the-owner")}))
	}
	err := f.update(user, identity.UpdateUser{
		Username:        "anna",
		Password:        to("from-the-user"),
		CurrentPassword: "anna-password",
	})
	require.ErrorIs(t, err, domain.Conflict)
	require.NoError(t, f.guess(home, "anna", "from-the-owner"))
}

// TestSessionOfAnEarlierEpoch verifies that a sign-in opens no valid session if the password changes during the
// sign-in.
func TestSessionOfAnEarlierEpoch(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.user("anna", "user")
	f.Passwords.During = func() {
		require.NoError(t, f.service.Operator().SetPassword(f.ctx, "anna", "another-password"))
	}
	require.False(t, f.authenticates(f.session("anna")))
}

// TestAdminsDemoteEachOther verifies that exactly one of two admins who demote each other concurrently succeeds.
func TestAdminsDemoteEachOther(t *testing.T) {
	t.Parallel()
	f := open(t)
	first, second := f.user("first", "admin"), f.user("second", "admin")
	errs := atOnce(
		func() error { return f.update(first, identity.UpdateUser{Username: "second", Role: to("user")}) },
		func() error { return f.update(second, identity.UpdateUser{Username: "first", Role: to("user")}) })
	requireOneRefused(t, errs, domain.ErrAdminOnly)
}

// TestInitializeOnce verifies that exactly one of two concurrent requests creates the owner.
func TestInitializeOnce(t *testing.T) {
	t.Parallel()
	parts := usecases.Open(t, 3)
	service := identity.New(identity.Config{
		Gate:      parts.Gate,
		Store:     parts.Store,
		Passwords: parts.Passwords,
		Sealer:    parts.Sealer,
		Tokens:    parts.Tokens,
		Clock:     parts.Clock,
		IDs:       parts.IDs,
	})
	initialize := func(name string) func() error {
		return func() error {
			_, err := service.Initialize(t.Context(), usecases.From(home),
				identity.Initialize{Username: name, Password: "the-password"})
			return err
		}
	}
	requireOneRefused(t, atOnce(initialize("first"), initialize("second")), domain.ErrAlreadyInitialized)
}

// TestLastAPIKeyStays verifies that a user always keeps one API key. Two concurrent requests each try to delete one of
// the last two keys, and one of these requests must be refused.
func TestLastAPIKeyStays(t *testing.T) {
	t.Parallel()
	f := open(t)
	first := f.user("anna", "user")
	issued, err := f.service.IssueAPIKey(f.ctx, first, identity.IssueAPIKey{})
	require.NoError(t, err)
	second := f.with(issued)
	revoke := func(by, key domain.Requester) func() error {
		return func() error { return f.service.RevokeAPIKey(f.ctx, by, key.Credential.ID.String()) }
	}
	requireOneRefused(t, atOnce(revoke(first, first), revoke(second, second)), domain.ErrLastAPIKey)
}

// TestHandover verifies that a handover makes another user the owner, and that the former owner cannot hand the system
// over again.
func TestHandover(t *testing.T) {
	t.Parallel()
	f := open(t)
	heir := f.user("heir", "user")
	require.NoError(t, f.update(f.owner, identity.UpdateUser{Username: "heir", Group: to("owner")}))
	require.ErrorIs(t, f.update(f.owner, identity.UpdateUser{Username: "root", Group: to("owner")}),
		domain.ErrOwnerOnly)
	caller, err := f.service.WhoAmI(f.ctx, heir)
	require.NoError(t, err)
	require.True(t, caller.Owner && caller.IsAdmin() && caller.Group == domain.GroupOwner)
	require.Equal(t, []string{"root success heir"}, f.Audited(t, domain.ActionHandOver))
}

// TestAccountsDeleteUser verifies that only the owner deletes users over the accounts API, and that the owner cannot
// be deleted.
func TestAccountsDeleteUser(t *testing.T) {
	t.Parallel()
	f := open(t)
	admin := f.user("boss", "admin")
	f.member("anna", "viewer")
	accounts := f.service.Accounts()
	require.ErrorIs(t, accounts.DeleteUser(f.ctx, admin, "anna"), domain.ErrGroupTooLow)
	require.NoError(t, accounts.DeleteUser(f.ctx, f.owner, "anna"))
	require.ErrorIs(t, accounts.DeleteUser(f.ctx, f.owner, "anna"), domain.ErrUserNotFound)
	require.ErrorIs(t, accounts.DeleteUser(f.ctx, f.owner, "root"), domain.ErrOwnerStays)
}
