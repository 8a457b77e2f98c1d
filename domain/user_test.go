package domain_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
)

var (
	ownerID = domain.UserID{1}
	adminID = domain.UserID{2}
	userID  = domain.UserID{3}
	otherID = domain.UserID{4}

	// These constants are the kinds of callers that the rules distinguish.
	owner = domain.Caller{
		UserID: ownerID,
		Name:   "owner",
		Role:   domain.RoleAdmin,
		Active: true,
		Owner:  true,
	}
	admin = domain.Caller{
		UserID: adminID,
		Name:   "admin",
		Role:   domain.RoleAdmin,
		Active: true,
	}
	user = domain.Caller{
		UserID: userID,
		Name:   "user",
		Role:   domain.RoleUser,
		Active: true,
	}

	now = time.Date(2024, 1, 31, 10, 20, 30, 0, time.UTC)
)

func userOf(c domain.Caller) domain.User {
	return domain.User{
		ID:           c.UserID,
		Name:         c.Name,
		Role:         c.Role,
		Active:       true,
		Owner:        c.Owner,
		SessionEpoch: 7,
		CreatedAt:    now,
		UpdatedAt:    now,
	}
}

func to[T any](value T) *T { return &value }

func TestNewUser(t *testing.T) {
	t.Parallel()
	require.Equal(t, domain.User{
		ID:        userID,
		Name:      "user",
		Spelling:  "user",
		Role:      domain.RoleUser,
		Active:    true,
		CreatedAt: now,
		UpdatedAt: now,
	},
		domain.NewUser(userID, "user", domain.RoleUser, now))
}

func TestRoleForNewUser(t *testing.T) {
	t.Parallel()
	none := domain.Role{}
	for _, test := range []struct {
		creator   *domain.Caller
		requested domain.Role
		open      bool
		want      domain.Role
		err       error
	}{
		{&admin, none, false, domain.RoleUser, nil},
		{&admin, domain.RoleUser, false, domain.RoleUser, nil},
		{&admin, domain.RoleAdmin, false, domain.RoleAdmin, nil},
		{&owner, domain.RoleAdmin, true, domain.RoleAdmin, nil},
		{&user, none, false, none, domain.ErrAdminOnly},
		{&user, domain.RoleUser, false, none, domain.ErrAdminOnly},
		{nil, none, false, none, domain.ErrUnauthenticated},
		{nil, none, true, domain.RoleUser, nil},
		{nil, domain.RoleAdmin, true, domain.RoleUser, nil},
		{&user, domain.RoleAdmin, true, domain.RoleUser, nil},
	} {
		got, err := domain.RoleForNewUser(test.creator, test.requested, test.open)
		require.Equal(t, test.err, err)
		require.Equal(t, test.want, got)
	}
}

func TestAuthorizeAccount(t *testing.T) {
	t.Parallel()
	require.NoError(t, user.AuthorizeAccount("user"))
	require.NoError(t, admin.AuthorizeAccount("user"))
	require.NoError(t, admin.AuthorizeAccount("unknown"))
	require.ErrorIs(t, user.AuthorizeAccount("admin"), domain.ErrAdminOnly)
	require.ErrorIs(t, user.AuthorizeAccount("unknown"), domain.ErrAdminOnly)
	require.ErrorIs(t, user.AuthorizeAccount(""), domain.ErrAdminOnly)
}

// TestUserChange lists which callers may change which fields of an account, and which credentials a change revokes.
func TestUserChange(t *testing.T) {
	t.Parallel()
	promote, demote := domain.UserChange{Role: &domain.RoleAdmin}, domain.UserChange{Role: &domain.RoleUser}
	deactivate, activate := domain.UserChange{Active: to(false)}, domain.UserChange{Active: to(true)}
	password, revoke := domain.UserChange{Password: true}, domain.UserChange{RevokeAPIKeys: true}
	none := domain.UserChange{}
	for name, test := range map[string]struct {
		by, of          domain.Caller
		change          domain.UserChange
		err             error
		sessions        bool // are revoked
		keys            bool // are revoked
		admin, inactive bool // afterwards
	}{
		"an admin promotes": {
			by:     admin,
			of:     user,
			change: promote,
			admin:  true,
		},
		"an admin demotes an admin": {by: owner, of: admin, change: demote},
		"an admin demotes itself":   {by: admin, of: admin, change: demote},
		"an admin deactivates": {
			by:       admin,
			of:       user,
			change:   deactivate,
			sessions: true,
			keys:     true,
			inactive: true,
		},
		"an admin activates the active": {by: admin, of: user, change: activate},
		"an admin sets a password": {
			by:       admin,
			of:       user,
			change:   password,
			sessions: true,
		},
		"an admin revokes API keys": {
			by:     admin,
			of:     user,
			change: revoke,
			keys:   true,
		},
		"an admin changes nothing": {by: admin, of: user, change: none},
		"all at once": {
			by: admin,
			of: user,
			change: domain.UserChange{
				Role:          &domain.RoleAdmin,
				Active:        to(false),
				Password:      true,
				RevokeAPIKeys: true,
			},
			sessions: true,
			keys:     true,
			admin:    true,
			inactive: true,
		},
		"a user sets its password": {
			by:       user,
			of:       user,
			change:   password,
			sessions: true,
		},
		"a user revokes its API keys without a new password": {
			by:     user,
			of:     user,
			change: revoke,
			err:    domain.ErrAdminOnly,
		},
		"a user revokes them with a new password": {
			by:       user,
			of:       user,
			change:   domain.UserChange{Password: true, RevokeAPIKeys: true},
			sessions: true,
			keys:     true,
		},
		"a user promotes itself": {
			by:     user,
			of:     user,
			change: promote,
			err:    domain.ErrAdminOnly,
		},
		"a user keeps its role": {
			by:     user,
			of:     user,
			change: demote,
			err:    domain.ErrAdminOnly,
		},
		"a user deactivates itself": {
			by:     user,
			of:     user,
			change: deactivate,
			err:    domain.ErrAdminOnly,
		},
		"a user changes another": {
			by:     user,
			of:     admin,
			change: password,
			err:    domain.ErrAdminOnly,
		},
		"a user changes the owner": {
			by:     user,
			of:     owner,
			change: password,
			err:    domain.ErrOwnerProtected,
		},
		"an admin changes the owner": {
			by:     admin,
			of:     owner,
			change: password,
			err:    domain.ErrOwnerProtected,
		},
		"an admin revokes the owner's keys": {
			by:     admin,
			of:     owner,
			change: revoke,
			err:    domain.ErrOwnerProtected,
		},
		"an admin changes nothing of an owner": {
			by:     admin,
			of:     owner,
			change: none,
			err:    domain.ErrOwnerProtected,
		},
		"the owner sets its password": {
			by:       owner,
			of:       owner,
			change:   password,
			sessions: true,
			admin:    true,
		},
		"the owner revokes their keys": {
			by:     owner,
			of:     owner,
			change: revoke,
			keys:   true,
			admin:  true,
		},
		"the owner demotes itself": {
			by:     owner,
			of:     owner,
			change: demote,
			err:    domain.ErrOwnerStays,
		},
		"the owner deactivates itself": {
			by:     owner,
			of:     owner,
			change: deactivate,
			err:    domain.ErrOwnerStays,
		},
		"the owner stays what it is": {
			by:     owner,
			of:     owner,
			change: domain.UserChange{Role: &domain.RoleAdmin, Active: to(true)},
			admin:  true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			account := userOf(test.of)
			before, later := account, now.Add(time.Hour)
			keys, err := account.Change(test.by, test.change, later)
			if test.err != nil {
				require.ErrorIs(t, err, test.err)
				require.Equal(t, before, account, "a refusal changes nothing")
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.keys, keys)
			require.Equal(t, test.sessions, account.SessionEpoch == before.SessionEpoch+1)
			require.Equal(t, test.admin, account.Role == domain.RoleAdmin)
			require.Equal(t, test.inactive, !account.Active)
			require.Equal(t, later, account.UpdatedAt)
		})
	}
}

// TestDeactivatingTwice verifies that the second deactivation revokes nothing.
func TestDeactivatingTwice(t *testing.T) {
	t.Parallel()
	account := userOf(user)
	account.Active = false
	keys, err := account.Change(admin, domain.UserChange{Active: to(false)}, now)
	require.NoError(t, err)
	require.False(t, keys)
	require.Equal(t, int64(7), account.SessionEpoch)
}

func TestDeletable(t *testing.T) {
	t.Parallel()
	require.NoError(t, userOf(user).Deletable(admin, nil))
	require.NoError(t, userOf(admin).Deletable(admin, nil))
	require.ErrorIs(t, userOf(user).Deletable(user, nil), domain.ErrAdminOnly)
	require.ErrorIs(t, userOf(owner).Deletable(admin, nil), domain.ErrOwnerStays)
	require.ErrorIs(t, userOf(owner).Deletable(owner, nil), domain.ErrOwnerStays)
	err := userOf(user).Deletable(admin, []domain.BoxName{"one", "two"})
	requireRefusal(t, err, domain.Conflict, "user_owns_boxes", "")
	require.Contains(t, err.Error(), ": one, two")
	many := make([]domain.BoxName, 100)
	for i := range many {
		many[i] = domain.BoxName(strings.Repeat("b", 100))
	}
	require.Less(t, len(userOf(user).Deletable(admin, many).Error()), 2500, "a long list is cut")
}

func TestPasswords(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"secret", "fünfeü", "  six  ", "a\x00b\ncd", strings.Repeat("x", 100),
		strings.Repeat("🙂", 100)} {
		password, err := domain.ParseNewPassword(good, 6)
		require.NoError(t, err)
		require.Equal(t, good, string(password.Bytes()))
	}
	for text, code := range map[string]string{"": "password_required", "12345": "invalid_password",
		"fünfe": "invalid_password", strings.Repeat("x", 101): "invalid_password",
		strings.Repeat("🙂", 101): "invalid_password", "secret\xff": "invalid_password"} {
		_, err := domain.ParseNewPassword(text, 6)
		requireRefusal(t, err, domain.Invalid, code, "password")
		if text != "" {
			require.NotContains(t, err.Error(), text)
		}
	}
	_, err := domain.ParseNewPassword("x", 1)
	require.NoError(t, err)
	_, err = domain.ParseNewPassword("", 0)
	requireRefusal(t, err, domain.Invalid, "password_required", "password")
}

// TestGivenPasswords verifies that only an empty password is refused. A password that is too long is truncated to a
// length that no stored password can have.
func TestGivenPasswords(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"x", "\xff", strings.Repeat("🙂", 100)} {
		password, err := domain.ParseGivenPassword(text)
		require.NoError(t, err)
		require.Equal(t, text, string(password.Bytes()))
	}
	long, err := domain.ParseGivenPassword(strings.Repeat("x", 1<<20))
	require.NoError(t, err)
	require.Len(t, long.Bytes(), 401)
	_, err = domain.ParseGivenPassword("")
	requireRefusal(t, err, domain.Invalid, "password_required", "password")
}
