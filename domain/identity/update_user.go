package identity

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// UpdateUser asks for changes of a user; nil leaves things as they are.
type UpdateUser struct {
	Username        string
	Role            *string
	Active          *bool
	Password        *string
	CurrentPassword string
	RevokeAPIKeys   bool
	// Group is viewer, manager, none, or owner to hand the place over.
	Group *string
}

// UpdateUser changes a user. A user who sets its own password gives the current one as well. A new password and a
// deactivation end all sessions; a deactivation, and RevokeAPIKeys, end all API keys. Groups are for the owner to
// change, who can make somebody else the owner; nobody else becomes or stops being one.
func (s *Service) UpdateUser(ctx context.Context, by domain.Requester, in UpdateUser) error {
	caller, err := s.authenticated(ctx, s.Store.Read(), by)
	if err != nil {
		return err
	}
	target, err := s.account(ctx, s.Store.Read(), caller, in.Username)
	if err != nil {
		return err
	}
	change, err := in.change()
	if err != nil {
		return err
	}
	// Decided here so that nothing is hashed for whoever may not change it, and once more under the lock.
	if _, err := new(target).Change(caller, change, s.Clock.Now()); err != nil {
		return err
	}
	was, phc, err := s.newPassword(ctx, by, caller, target, in)
	if err != nil {
		return err
	}
	return s.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		// The system's row orders this against all other changes of admins: two who demote each other must not both win.
		if _, err := repos.System.Lock(ctx); err != nil {
			return err
		}
		user, former, err := lockBoth(ctx, repos, target.Name, caller.Name, change)
		if err != nil {
			return err
		}
		caller, err := s.authenticated(ctx, repos, by)
		if err != nil {
			return err
		}
		if err := s.apply(ctx, repos, caller, change, user, former); err != nil {
			return err
		}
		if change.Password {
			if err := s.savePassword(ctx, repos, was, phc); err != nil {
				return err
			}
		}
		return repos.Events.Append(ctx, s.event(actionOf(change), by, caller).To(string(user.Name)))
	})
}

// apply changes a user who is locked and, for a hand-over, the owner who was.
func (s *core) apply(ctx context.Context, repos ports.Repos, caller domain.Caller, change domain.UserChange,
	user, former domain.User) error {
	wasOwner := user.Owner
	keysEnd, err := user.Change(caller, change, s.Clock.Now())
	if err != nil {
		return err
	}
	if change.HandsOver() && !wasOwner {
		if err := s.handOver(ctx, repos, &user, former); err != nil {
			return err
		}
	}
	return s.saveChange(ctx, repos, user, keysEnd)
}

func (in UpdateUser) change() (domain.UserChange, error) {
	change := domain.UserChange{Active: in.Active, Password: in.Password != nil, RevokeAPIKeys: in.RevokeAPIKeys}
	if in.Role != nil {
		role, err := domain.ParseRole(*in.Role)
		if err != nil {
			return change, err
		}
		change.Role = &role
	}
	if in.Group != nil {
		group, err := domain.ParseGroupChange(*in.Group)
		if err != nil {
			return change, err
		}
		change.Group = &group
	}
	return change, nil
}

// lockBoth locks the user that is changed and, for a hand-over, the owner who was, in the order of their names.
func lockBoth(ctx context.Context, repos ports.Repos, name, owner domain.UserName,
	change domain.UserChange) (user, former domain.User, err error) {
	if change.HandsOver() && owner < name {
		if former, err = repos.Users.Lock(ctx, owner); err != nil {
			return domain.User{}, domain.User{}, err
		}
	}
	if user, err = repos.Users.Lock(ctx, name); err != nil {
		return domain.User{}, domain.User{}, err
	}
	if change.HandsOver() && owner > name {
		former, err = repos.Users.Lock(ctx, owner)
	}
	return user, former, err
}

// handOver makes user the owner. former is the caller, who is the owner or would have been refused by now.
func (s *core) handOver(ctx context.Context, repos ports.Repos, user *domain.User, former domain.User) error {
	if err := user.TakeOver(&former, s.Clock.Now()); err != nil {
		return err
	}
	if err := repos.System.SetOwner(ctx, user.ID); err != nil {
		return err
	}
	return repos.Users.Save(ctx, former)
}

func actionOf(change domain.UserChange) domain.Action {
	switch {
	case change.HandsOver():
		return domain.ActionHandOver
	case change.Password && change.Role == nil && change.Active == nil && change.Group == nil:
		return domain.ActionSetPassword
	}
	return domain.ActionUpdateUser
}

// newPassword checks and hashes the new password, if there is one, and returns it with what was stored before.
func (s *core) newPassword(ctx context.Context, by domain.Requester, caller domain.Caller, target domain.User,
	in UpdateUser) (ports.SealedPassword, []byte, error) {
	if in.Password == nil {
		return ports.SealedPassword{}, nil, nil
	}
	password, err := domain.ParseNewPassword(*in.Password, s.MinPasswordLength)
	if err != nil {
		return ports.SealedPassword{}, nil, err
	}
	defer password.Clear()
	found, err := s.Store.Read().Users.ForSignIn(ctx, target.Name)
	if err != nil {
		return ports.SealedPassword{}, nil, err
	}
	stored := found.Password
	if caller.Is(target.ID) && len(stored.Sealed) > 0 {
		if err := s.checkCurrentPassword(ctx, by, caller, stored, in.CurrentPassword); err != nil {
			return ports.SealedPassword{}, nil, err
		}
	}
	phc, err := s.Passwords.Hash(ctx, password)
	return stored, phc, err
}

func (s *core) checkCurrentPassword(ctx context.Context, by domain.Requester, caller domain.Caller,
	stored ports.SealedPassword, given string) error {
	if given == "" {
		return domain.InvalidField("currentPassword", "current_password_required",
			"currentPassword is missing: give the present password to set another")
	}
	current, err := domain.ParseGivenPassword(given)
	if err != nil {
		return err
	}
	defer current.Clear()
	// Whoever found a token must not guess the password with it.
	try, err := s.reserveAccount(ctx, by, domain.ActionSetPassword, string(caller.Name))
	if err != nil {
		return err
	}
	attempt := s.event(domain.ActionSetPassword, by, caller).To(string(caller.Name))
	check, err := s.checkPassword(ctx, current, stored, attempt)
	if err != nil || check.Match {
		s.release(ctx, try)
		return err
	}
	return s.denied(ctx, attempt, &domain.Error{
		Kind:    domain.Forbidden,
		Code:    "current_password_wrong",
		Field:   "currentPassword",
		Message: "currentPassword is not the present password",
	})
}

func (s *core) saveChange(ctx context.Context, repos ports.Repos, user domain.User, keysEnd bool) error {
	if err := repos.Users.Save(ctx, user); err != nil {
		return err
	}
	if !keysEnd {
		return nil
	}
	return repos.APIKeys.DeleteAll(ctx, user.ID)
}

func (s *core) savePassword(ctx context.Context, repos ports.Repos, was ports.SealedPassword, phc []byte) error {
	password, err := s.sealPassword(ctx, was.User, phc)
	if err != nil {
		return err
	}
	return repos.Users.SetPassword(ctx, was, password)
}
