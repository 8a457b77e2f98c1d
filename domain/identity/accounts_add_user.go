package identity

import (
	"context"
	"errors"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// AccountsAddUser is the request to create a user with a group. The user has no password and signs in with TOTP codes.
type AccountsAddUser struct {
	Username string
	// Group is "viewer" or "manager", in any letter case.
	Group string
}

// AddUser creates a user. Only the owner may call it. Clients rely on the order of its errors: a missing field, an
// invalid name, a taken name, an unknown group, and last the group "owner", which only one user may have.
func (s Accounts) AddUser(ctx context.Context, by domain.Requester, in AccountsAddUser) error {
	if _, err := s.gate.InGroup(ctx, s.store.Read(), by, domain.GroupOwner); err != nil {
		return err
	}
	if in.Username == "" || in.Group == "" {
		return domain.Refuse(domain.Invalid, "account_incomplete", "the fields username and group are both required")
	}
	name, err := domain.ParseUserName(in.Username)
	if err != nil {
		return err
	}
	return s.store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		// The lock serialises this transaction with a handover. After a handover, the caller is no longer the owner.
		if _, err := repos.System.Lock(ctx); err != nil {
			return err
		}
		caller, err := s.gate.InGroup(ctx, repos, by, domain.GroupOwner)
		if err != nil {
			return err
		}
		// If the name is taken and the group is invalid, the response must contain the error for the name. Users.Add
		// also checks the name, but it runs after the group is parsed.
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
		user := domain.NewUser(s.ids.New(), name, domain.RoleUser, s.clock.Now())
		user.Spelling, user.Group = in.Username, group
		if err := repos.Users.Add(ctx, user, ports.SealedPassword{}); err != nil {
			return err
		}
		event := s.gate.Event(domain.ActionCreateUser, by, caller).To(string(name))
		return repos.Events.Append(ctx, event.Changed(user.ChangesFrom(domain.User{})...))
	})
}
