package identity

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// RevokeSessions revokes every session of a user in both APIs. API keys stay valid. The owner may revoke any user's
// sessions. Other users may revoke only their own. RevokeSessions accepts a refresh token in addition to an access
// token. Errors: Forbidden with code revoke_owner_only; NotFound if the user does not exist.
func (s Accounts) RevokeSessions(ctx context.Context, by domain.Requester, username string) error {
	caller, by, err := s.revoker(ctx, s.store.Read(), by)
	if err != nil {
		return err
	}
	name, err := domain.ParseUserName(username)
	// Authorise the caller before the lookup, so that a refusal does not reveal whether the user exists.
	if !caller.Owner && caller.Name != name {
		return domain.ErrRevokeOthers
	}
	if err != nil {
		return domain.ErrUserNotFound
	}
	return s.store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		// Lock the row that names the owner. Without this lock, the check of caller.Owner could miss a concurrent
		// handover.
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
		before := user
		user.EndSessions()
		user.UpdatedAt = s.clock.Now()
		if err := repos.Users.Save(ctx, user); err != nil {
			return err
		}
		event := s.gate.Event(domain.ActionRevoke, by, caller).To(string(user.Name))
		return repos.Events.Append(ctx, event.Changed(user.ChangesFrom(before)...))
	})
}

// revoker authenticates a requester whose opaque token is an access token or a refresh token. It returns the caller,
// and the requester with the right kind of credential: RefreshTokenCredential for a refresh token.
func (s *core) revoker(ctx context.Context, repos ports.Repos, by domain.Requester) (domain.Caller, domain.Requester,
	error) {
	// Both kinds of opaque token have the same form. The HTTP adapter therefore marks every opaque token as an access
	// token.
	if by.Credential.Kind == domain.AccessTokenCredential {
		asRefresh := by
		asRefresh.Credential.Kind = domain.RefreshTokenCredential
		if caller, err := s.gate.Caller(ctx, repos, asRefresh); err == nil {
			return caller, asRefresh, nil
		} else if domain.KindOf(err) != domain.Unauthenticated {
			return domain.Caller{}, by, err
		}
	}
	caller, err := s.gate.Caller(ctx, repos, by)
	return caller, by, err
}
