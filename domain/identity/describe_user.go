package identity

import (
	"context"
	"errors"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// UserDescription is what an admin, or the user itself, sees of a user.
type UserDescription struct {
	User domain.User
	// APIKeys are the ids of the usable keys, or whole keys where the server is set to show them.
	APIKeys []string
	// Permissions is the union over the boxes that the user is active in.
	Permissions domain.Permissions
}

// DescribeUser returns what is known of a user.
func (s *Service) DescribeUser(ctx context.Context, by domain.Requester, username string) (UserDescription, error) {
	repos := s.Store.Read()
	caller, err := s.authenticated(ctx, repos, by)
	if err != nil {
		return UserDescription{}, err
	}
	user, err := s.account(ctx, repos, caller, username)
	if err != nil {
		return UserDescription{}, err
	}
	permissions, err := repos.Users.Permissions(ctx, user.ID)
	if err != nil {
		return UserDescription{}, err
	}
	keys, err := s.shownAPIKeys(ctx, repos, by, caller, user)
	return UserDescription{User: user, APIKeys: keys, Permissions: permissions}, err
}

// account returns the user of that name if the caller may see it.
func (s *core) account(ctx context.Context, repos ports.Repos, caller domain.Caller, username string) (domain.User,
	error) {
	name, err := domain.ParseUserName(username)
	if authorized := caller.AuthorizeAccount(name); authorized != nil {
		return domain.User{}, authorized
	}
	if err != nil {
		return domain.User{}, domain.ErrUserNotFound
	}
	return repos.Users.Get(ctx, name)
}

// shownAPIKeys lists ids. Where the server is set to show whole keys, it makes them again from what is kept of them,
// which is a read of secrets and goes on record; the owner's are shown to the owner alone.
func (s *core) shownAPIKeys(ctx context.Context, repos ports.Repos, by domain.Requester, caller domain.Caller,
	user domain.User) ([]string, error) {
	keys, err := repos.APIKeys.List(ctx, user.ID)
	if err != nil {
		return nil, err
	}
	whole := s.ShowAPIKeys && (!user.Owner || caller.Is(user.ID)) && !caller.HasExpiringAPIKey()
	shown := make([]string, 0, len(keys))
	for _, key := range keys {
		if !key.UsableAt(s.Clock.Now()) {
			continue
		}
		text := key.ID.String()
		if whole {
			token, err := s.Tokens.MintUnder(ctx, key.SignedBy, apiKeyClaims(key))
			if errors.Is(err, domain.NotFound) {
				continue // signed under a server key that is gone: it is as dead as an expired one
			}
			if err != nil {
				return nil, err
			}
			text = token
		}
		shown = append(shown, text)
	}
	if !whole || len(shown) == 0 {
		return shown, nil
	}
	return shown, s.Events.Write(ctx, s.event(domain.ActionShowAPIKeys, by, caller).To(string(user.Name)))
}
