package identity

import (
	"context"
	"errors"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// UserDescription contains the data of an account that is visible to its user and to admins.
type UserDescription struct {
	User domain.User
	// APIKeys lists the usable API keys of the user, as ids or as whole keys; see Config.ShowAPIKeys.
	APIKeys []string
	// Permissions contains each permission that the user has in at least one box as an active member.
	Permissions domain.Permissions
}

// DescribeUser returns the account of a user. Only the user and admins may call it. If the result contains whole API
// keys, DescribeUser audits this.
func (s *Service) DescribeUser(ctx context.Context, by domain.Requester, username string) (UserDescription, error) {
	repos := s.store.Read()
	caller, err := s.gate.Caller(ctx, repos, by)
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
	keys, whole, err := s.shownAPIKeys(ctx, repos, caller, user)
	if err != nil {
		return UserDescription{}, err
	}
	if whole && len(keys) > 0 {
		err = s.gate.Audit(ctx, s.gate.Event(domain.ActionShowAPIKeys, by, caller).To(string(user.Name)))
	}
	return UserDescription{User: user, APIKeys: keys, Permissions: permissions}, err
}

// account returns the named user if the caller may see the account. It authorises the caller before the lookup, so that
// a refusal does not reveal whether the user exists.
func (s *core) account(ctx context.Context, repos ports.Repos, caller domain.Caller, username string) (domain.User,
	error) {
	name, err := domain.ParseUserName(username)
	if refused := caller.AuthorizeAccount(name); refused != nil {
		return domain.User{}, refused
	}
	if err != nil {
		return domain.User{}, domain.ErrUserNotFound
	}
	return repos.Users.Get(ctx, name)
}

// shownAPIKeys returns the usable API keys of a user, as ids or as whole keys. The result named whole is true if they
// are whole keys. This requires that Config.ShowAPIKeys is true. Even then, only the owner sees the owner's whole keys.
// A caller with an API key that expires sees no whole keys, because the caller could otherwise obtain a key that is
// valid for longer than the caller's own key.
func (s *core) shownAPIKeys(ctx context.Context, repos ports.Repos, caller domain.Caller,
	user domain.User) (shown []string, whole bool, err error) {
	keys, err := repos.APIKeys.List(ctx, user.ID)
	if err != nil {
		return nil, false, err
	}
	whole = s.config.ShowAPIKeys && (!user.Owner || caller.Is(user.ID)) && !caller.HasExpiringAPIKey()
	shown = make([]string, 0, len(keys))
	for _, key := range keys {
		if !key.UsableAt(s.clock.Now()) {
			continue
		}
		text := key.ID.String()
		if whole {
			text, err = s.config.Tokens.MintUnder(ctx, key.SignedBy, apiKeyClaims(key))
			if errors.Is(err, domain.NotFound) {
				continue // the server key was deleted, so the API key no longer authenticates
			}
			if err != nil {
				return nil, false, err
			}
		}
		shown = append(shown, text)
	}
	return shown, whole, nil
}
