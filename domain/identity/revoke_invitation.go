package identity

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// RevokeInvitation deletes the invitation for a name. Only admins may call it. Errors: NotFound with code
// invitation_not_found.
func (s *Service) RevokeInvitation(ctx context.Context, by domain.Requester, username string) error {
	if _, err := s.gate.Admin(ctx, s.store.Read(), by); err != nil {
		return err
	}
	name, err := domain.ParseUserName(username)
	if err != nil {
		return domain.ErrInvitationNotFound
	}
	return s.store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		// The lock serialises this transaction with a demotion of the caller and with a request that accepts the
		// invitation.
		if _, err := repos.System.Lock(ctx); err != nil {
			return err
		}
		caller, err := s.gate.Admin(ctx, repos, by)
		if err != nil {
			return err
		}
		deleted, err := repos.Invitations.DeleteByName(ctx, name)
		if err != nil {
			return err
		}
		if deleted.ID.IsZero() {
			return domain.ErrInvitationNotFound
		}
		event := s.gate.Event(domain.ActionUninvite, by, caller).To(string(name))
		return repos.Events.Append(ctx, event.Changed(domain.Invitation{}.ChangesFrom(deleted)...))
	})
}
