package identity

import (
	"context"
	"errors"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// AccountsAddUser asks for a user of a group who has no password and signs in with codes.
type AccountsAddUser struct {
	Username string
	Group    string
}

// AccountsAddUser makes a user; for the owner. What is wrong is told in a fixed order: what is missing or no name, a name that
// is taken, an unknown group, a second owner.
func (s Accounts) AddUser(ctx context.Context, by domain.Requester, in AccountsAddUser) error {
	if _, err := s.inGroup(ctx, s.Store.Read(), by, domain.GroupOwner); err != nil {
		return err
	}
	if in.Username == "" || in.Group == "" {
		return domain.Refuse(domain.Invalid, "account_incomplete", "username and group must both be given")
	}
	name, err := domain.ParseUserName(in.Username)
	if err != nil {
		return err
	}
	return s.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		if _, err := repos.System.Lock(ctx); err != nil {
			return err
		}
		caller, err := s.inGroup(ctx, repos, by, domain.GroupOwner)
		if err != nil {
			return err
		}
		if _, err := repos.Users.Get(ctx, name); err == nil {
			return domain.ErrUserExists
		} else if !errors.Is(err, domain.NotFound) {
			return err
		}
		group, err := domain.ParseGroup(in.Group)
		if err != nil {
			return err
		}
		if group == domain.GroupOwner {
			return domain.ErrSecondOwner
		}
		user := domain.NewUser(s.IDs.New(), name, domain.RoleUser, s.Clock.Now())
		user.Spelling, user.Group = in.Username, group
		if err := repos.Users.Add(ctx, user, ports.SealedPassword{}); err != nil {
			return err
		}
		return repos.Events.Append(ctx, s.event(domain.ActionCreateUser, by, caller).To(string(name)))
	})
}
