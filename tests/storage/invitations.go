package storage

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// addInvitation stores an invitation that expires after the given duration.
func (f *fixture) addInvitation(by domain.User, name domain.UserName, expires time.Duration) domain.Invitation {
	f.Helper()
	invitation := domain.Invitation{
		ID:          f.id(),
		Name:        name,
		Spelling:    "As " + string(name),
		Role:        domain.RoleAdmin,
		Inviter:     by.ID,
		InviterName: by.Name,
		CreatedAt:   f.now,
		ExpiresAt:   f.now.Add(expires),
		Proof:       digest(string(name)),
		SignedBy:    f.keys[domain.KeyForTokens],
	}
	f.do(func(ctx context.Context, repos ports.Repos) error { return repos.Invitations.Add(ctx, invitation) })
	return invitation
}

func invitationLifecycle(f *fixture) {
	inviter, other := f.addUser("inviter"), f.addUser("other")
	boris, anna := f.addInvitation(inviter, "boris", time.Hour), f.addInvitation(other, "anna", time.Hour)
	expired := f.addInvitation(inviter, "expired", 0)
	invitations := f.Read().Invitations
	for _, want := range []domain.Invitation{boris, anna, expired} {
		found, err := invitations.Get(f.Context(), want.ID)
		require.NoError(f, err)
		require.Equal(f, want, found)
	}
	listed, err := invitations.List(f.Context(), f.now)
	require.NoError(f, err)
	require.Equal(f, []domain.Invitation{anna, boris}, listed)
	count, err := invitations.Count(f.Context())
	require.NoError(f, err)
	require.Equal(f, 3, count)

	for _, want := range []domain.Invitation{boris, {}} {
		deleted, err := invitations.DeleteByName(f.Context(), "boris")
		require.NoError(f, err)
		require.Equal(f, want, deleted)
	}
	require.Error(f, f.Do(f.Context(), func(ctx context.Context, repos ports.Repos) error {
		second := anna
		second.ID = f.id()
		return repos.Invitations.Add(ctx, second)
	}), "a name has at most one invitation")
	require.NoError(f, f.Read().Users.Delete(f.Context(), other.ID))
	for _, id := range []domain.InvitationID{boris.ID, anna.ID, f.id(), {}} {
		_, err = invitations.Get(f.Context(), id)
		f.requireCode(err, domain.NotFound, "invitation_not_found")
	}
}

func invitationDeletedOnce(f *fixture) {
	invitation := f.addInvitation(f.addUser("inviter"), "anna", time.Hour)
	var group sync.WaitGroup
	var deleted atomic.Int64
	for range 8 {
		group.Go(func() {
			found, err := f.Read().Invitations.Delete(f.Context(), invitation.ID)
			if err != nil {
				f.Errorf("delete: %v", err)
			}
			if found {
				deleted.Add(1)
			}
		})
	}
	group.Wait()
	require.Equal(f, int64(1), deleted.Load())
}

func janitorInvitations(f *fixture) {
	inviter := f.addUser("inviter")
	for i, name := range []domain.UserName{"a", "b", "c", "d", "e"} {
		f.addInvitation(inviter, name, time.Duration(i-3)*time.Hour) // three have expired
	}
	require.Equal(f, []int{2, 1}, f.sweep(f.DeleteEndedInvitations, f.now, 2))
}
