package identity

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// RevokeSessions ends every session of a user, whatever it signed in with; API keys stay. The owner may do so for
// anyone, a user for itself, with its refresh token as well as with any other.
func (s Accounts) RevokeSessions(ctx context.Context, by domain.Requester, username string) error {
	caller, by, err := s.revoker(ctx, s.Store.Read(), by)
	if err != nil {
		return err
	}
	name, err := domain.ParseUserName(username)
	// Decided before the look-up, so that the refusal does not tell who there is.
	if !caller.Owner && caller.Name != name {
		return domain.ErrRevokeOthers
	}
	if err != nil {
		return domain.ErrUserNotFound
	}
	return s.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		// The owner is a fact of the system's row: without its lock, a hand-over at this moment would show the old one.
		if _, err := repos.System.Lock(ctx); err != nil {
			return err
		}
		user, err := repos.Users.Lock(ctx, name)
		if err != nil {
			return err
		}
		caller, _, err := s.revoker(ctx, repos, by)
		if err != nil {
			return err
		}
		if !caller.Owner && !caller.Is(user.ID) {
			return domain.ErrRevokeOthers
		}
		user.EndSessions()
		user.UpdatedAt = s.Clock.Now()
		if err := repos.Users.Save(ctx, user); err != nil {
			return err
		}
		return repos.Events.Append(ctx, s.event(domain.ActionRevoke, by, caller).To(string(user.Name)))
	})
}

// revoker is authenticated for an access token that may be a refresh token instead.
func (s *core) revoker(ctx context.Context, repos ports.Repos, by domain.Requester) (domain.Caller, domain.Requester,
	error) {
	if by.Credential.Kind == domain.AccessTokenCredential {
		asRefresh := by
		asRefresh.Credential.Kind = domain.RefreshTokenCredential
		if caller, err := s.authenticated(ctx, repos, asRefresh); err == nil {
			return caller, asRefresh, nil
		} else if domain.KindOf(err) != domain.Unauthenticated {
			return domain.Caller{}, by, err
		}
	}
	caller, err := s.authenticated(ctx, repos, by)
	return caller, by, err
}
