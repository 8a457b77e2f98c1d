package identity_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/identity"
	"github.com/lockbox-go/lockbox/tests/usecases"
)

// create calls Operator.CreateUser with these arguments.
func (f fixture) create(name, group string, recreate bool) (identity.OperatorUser, error) {
	return f.service.Operator().CreateUser(f.ctx,
		identity.OperatorCreateUser{Username: name, Group: group, Recreate: recreate})
}

// TestOperatorCreateUser verifies that CreateUser creates a user. For an existing user, it must revoke the sessions and
// show the same secret again.
func TestOperatorCreateUser(t *testing.T) {
	t.Parallel()
	f := open(t)
	created, err := f.create("Anna", "manager", false)
	require.NoError(t, err)
	require.True(t, created.Created)
	require.Equal(t, "Anna", created.User.Spelling)
	pair := f.pair("anna", created.Enrolment.Secret)

	again, err := f.create("anna", "viewer", false)
	require.NoError(t, err)
	require.False(t, again.Created)
	require.Equal(t, domain.GroupManager, again.User.Group, "only a recreated user gets the group")
	require.Equal(t, created.Enrolment.Secret, again.Enrolment.Secret)
	require.False(t, f.authenticates(f.access(pair.Access)))
	require.Equal(t, []string{"(terminal) success anna"}, f.Audited(t, domain.ActionRevoke))
}

// TestOperatorRecreatesUser verifies that CreateUser with Recreate gives an existing user a new secret and the
// requested group.
func TestOperatorRecreatesUser(t *testing.T) {
	t.Parallel()
	f := open(t)
	created, err := f.create("anna", "manager", false)
	require.NoError(t, err)
	again, err := f.create("anna", "viewer", true)
	require.NoError(t, err)
	require.Equal(t, domain.GroupViewer, again.User.Group)
	require.NotEqual(t, created.Enrolment.Secret, again.Enrolment.Secret)
	require.Equal(t, []string{"(terminal) success anna"}, f.Audited(t, domain.ActionEnrolTOTP))
}

// TestOperatorSecondOwner verifies that CreateUser refuses to create a second owner and to change the owner's group.
func TestOperatorSecondOwner(t *testing.T) {
	t.Parallel()
	f := open(t)
	_, err := f.create("anna", "owner", false)
	require.ErrorIs(t, err, domain.ErrSecondOwner)
	_, err = f.create("root", "viewer", true)
	require.ErrorIs(t, err, domain.ErrOwnerStays)
}

// TestOperatorFirstOwner verifies that creating the first owner initializes the system.
func TestOperatorFirstOwner(t *testing.T) {
	t.Parallel()
	parts := usecases.Open(t, 3)
	service := identity.New(identity.Config{
		Gate:         parts.Gate,
		Store:        parts.Store,
		Sealer:       parts.Sealer,
		TOTP:         parts.TOTP,
		TokenDigests: parts.TokenDigests,
		Clock:        parts.Clock,
		IDs:          parts.IDs,
	})
	created, err := service.Operator().CreateUser(t.Context(),
		identity.OperatorCreateUser{Username: "root", Group: "owner"})
	require.NoError(t, err)
	require.True(t, created.User.Owner)
	require.Equal(t, domain.RoleAdmin, created.User.Role)
	require.Equal(t, []string{"(terminal) success root"}, parts.Audited(t, domain.ActionInitialize))
	owner, err := parts.Store.Read().System.Owner(t.Context())
	require.NoError(t, err)
	require.Equal(t, created.User.ID, owner)
}

// TestOperatorEnrolledSecret verifies that CreateUser does not show the operator a secret that the user has enrolled.
func TestOperatorEnrolledSecret(t *testing.T) {
	t.Parallel()
	f := open(t)
	user := f.user("anna", "user")
	enrolled, err := f.enrol(user, "anna", "")
	require.NoError(t, err)
	require.NoError(t, f.confirm(user, "anna", f.code(enrolled.Enrolment.Secret)))
	again, err := f.create("anna", "viewer", false)
	require.NoError(t, err)
	require.Nil(t, again.Enrolment)
}

// TestOperatorDeactivates verifies that deactivating a user revokes the user's sessions and API keys, and that the
// owner cannot be deactivated.
func TestOperatorDeactivates(t *testing.T) {
	t.Parallel()
	f := open(t)
	key, operator := f.user("anna", "user"), f.service.Operator()
	session := f.session("anna")
	require.NoError(t, operator.SetUserActive(f.ctx, "anna", false))
	require.NoError(t, operator.SetUserActive(f.ctx, "anna", true))
	require.False(t, f.authenticates(key))
	require.False(t, f.authenticates(session))
	require.NoError(t, f.guess(home, "anna", "anna-password"))
	require.ErrorIs(t, operator.SetUserActive(f.ctx, "root", false), domain.ErrOwnerStays)
	require.ErrorIs(t, operator.SetUserActive(f.ctx, "ghost", false), domain.ErrUserNotFound)
}

// TestOperatorSetsPassword verifies that SetPassword revokes the sessions of the owner but keeps the owner's API keys.
func TestOperatorSetsPassword(t *testing.T) {
	t.Parallel()
	f := open(t)
	session := f.session("root")
	require.NoError(t, f.service.Operator().SetPassword(f.ctx, "root", "another-password"))
	require.False(t, f.authenticates(session))
	require.True(t, f.authenticates(f.owner))
	require.NoError(t, f.guess(home, "root", "another-password"))
	require.ErrorIs(t, f.service.Operator().SetPassword(f.ctx, "root", "short"), domain.Invalid)
}

// TestOperatorUnlocksUser verifies that UnlockUser ends a lockout that too many wrong passwords have caused.
func TestOperatorUnlocksUser(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.user("anna", "user")
	for range 3 {
		require.ErrorIs(t, f.guess(stranger, "anna", "wrong-password"), domain.ErrWrongCredentials)
	}
	require.ErrorIs(t, f.guess(stranger, "anna", "anna-password"), domain.RateLimited)
	require.NoError(t, f.service.Operator().UnlockUser(f.ctx, "anna"))
	require.NoError(t, f.guess(stranger, "anna", "anna-password"))
}
