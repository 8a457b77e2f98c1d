package gate_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// session stores a user with a session of one hour. It returns a requester with the session's credential.
func (f fixture) session(user domain.User) domain.Requester {
	f.t.Helper()
	session := domain.NewSession(f.IDs.New(), user, f.Clock.Now(), time.Hour)
	session.SignedBy, _ = f.Keyring.Current(domain.KeyForSessions)
	require.NoError(f.t, f.Store.Do(f.t.Context(), func(ctx context.Context, repos ports.Repos) error {
		if err := repos.Users.Add(ctx, user, ports.SealedPassword{}); err != nil {
			return err
		}
		return repos.Sessions.Add(ctx, session)
	}))
	return domain.Requester{Credential: domain.Credential{
		Kind: domain.SessionCredential,
		ID:   session.ID,
		User: user.ID,
	}}
}

func (f fixture) user(name domain.UserName) domain.User {
	return domain.NewUser(f.IDs.New(), name, domain.RoleUser, f.Clock.Now())
}

// TestCaller verifies that Caller accepts a credential only while the credential is valid and its user is active.
func TestCaller(t *testing.T) {
	t.Parallel()
	f := open(t)
	inactive := f.user("inactive")
	inactive.Active = false
	anna, other := f.session(f.user("anna")), f.session(inactive)
	caller, err := f.Gate.Caller(t.Context(), f.Store.Read(), anna)
	require.NoError(t, err)
	require.Equal(t, domain.UserName("anna"), caller.Name)
	unknown := anna
	unknown.Credential.ID = f.IDs.New()
	for _, by := range []domain.Requester{{}, unknown, other} {
		_, err := f.Gate.Caller(t.Context(), f.Store.Read(), by)
		require.ErrorIs(t, err, domain.Unauthenticated)
		_, err = f.Gate.Access(t.Context(), f.Store.Read(), by, "default")
		require.ErrorIs(t, err, domain.Unauthenticated)
	}
	f.Clock.Advance(time.Hour)
	_, err = f.Gate.Caller(t.Context(), f.Store.Read(), anna)
	require.ErrorIs(t, err, domain.ErrCredentialExpired)
}

// TestRights verifies that the gate authenticates a caller before it checks the caller's role or group.
func TestRights(t *testing.T) {
	t.Parallel()
	f := open(t)
	boss, viewer := f.user("boss"), f.user("viewer")
	boss.Role, viewer.Group = domain.RoleAdmin, domain.GroupViewer
	byBoss, byViewer := f.session(boss), f.session(viewer)
	repos := f.Store.Read()

	_, err := f.Gate.Admin(t.Context(), repos, byBoss)
	require.NoError(t, err)
	_, err = f.Gate.Admin(t.Context(), repos, byViewer)
	require.ErrorIs(t, err, domain.ErrAdminOnly)
	_, err = f.Gate.Admin(t.Context(), repos, domain.Requester{})
	require.ErrorIs(t, err, domain.ErrUnauthenticated)

	_, err = f.Gate.InGroup(t.Context(), repos, byViewer, domain.GroupViewer)
	require.NoError(t, err)
	caller, err := f.Gate.InGroup(t.Context(), repos, byViewer, domain.GroupManager)
	require.ErrorIs(t, err, domain.ErrGroupTooLow)
	require.Equal(t, viewer.ID, caller.UserID, "the audit event of the refusal names the caller")
}

// TestAccess verifies that Access returns the named box with the caller's membership, and the zero box if the name is
// unknown or invalid.
func TestAccess(t *testing.T) {
	t.Parallel()
	f := open(t)
	anna := f.user("anna")
	by := f.session(anna)
	box := domain.Box{
		ID:        f.IDs.New(),
		Name:      "default",
		Owner:     anna.ID,
		CreatedAt: f.Clock.Now(),
		UpdatedAt: f.Clock.Now(),
	}
	require.NoError(t, f.Store.Do(t.Context(), func(ctx context.Context, repos ports.Repos) error {
		if err := repos.Boxes.Add(ctx, box); err != nil {
			return err
		}
		return repos.BoxUsers.Add(ctx, domain.NewBoxOwner(box.ID, anna.ID, anna.Name))
	}))
	access, err := f.Gate.Access(t.Context(), f.Store.Read(), by, "DEFAULT")
	require.NoError(t, err)
	require.Equal(t, box.ID, access.Box.ID)
	require.NoError(t, access.Use(domain.AllPermissions))
	for _, name := range []string{"", "other", "no/name"} {
		access, err := f.Gate.Access(t.Context(), f.Store.Read(), by, name)
		require.NoError(t, err)
		require.ErrorIs(t, access.See(), domain.ErrBoxNotFound)
		require.Equal(t, anna.ID, access.Caller.UserID)
	}
}
