package identity

import (
	"context"
	"errors"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// UpdateUser is the request to change a user. A pointer that is nil changes nothing.
type UpdateUser struct {
	Username string
	Role     *string
	Active   *bool
	// Password is the new password. Users who change their own password must also send CurrentPassword.
	Password        *string
	CurrentPassword string
	// Code is a TOTP code or a recovery code. Users without a password must send a code to set their first password.
	Code          string
	RevokeAPIKeys bool
	// Group is "viewer", "manager", "none" or "owner". The value "owner" hands the system over to the user.
	Group *string
}

// UpdateUser changes a user. domain.User.Change decides whether the caller may make the change. Only the owner may
// change groups and hand the system over.
//
// A new password revokes all sessions of the user. A deactivation revokes all sessions and all API keys. RevokeAPIKeys
// revokes all API keys.
//
// Errors:
//
//   - Forbidden if the caller may not make the change
//   - Conflict with code owner_stays
//   - RateLimited after too many wrong current passwords
func (s *Service) UpdateUser(ctx context.Context, by domain.Requester, in UpdateUser) error {
	caller, err := s.gate.Caller(ctx, s.store.Read(), by)
	if err != nil {
		return err
	}
	target, err := s.account(ctx, s.store.Read(), caller, in.Username)
	if err != nil {
		return err
	}
	change, err := in.change()
	if err != nil {
		return err
	}
	// First make the change on a copy of the user. If the caller may not make the change, the request fails here,
	// before a password is hashed. updateLocked checks this again under the lock.
	if _, err := new(target).Change(caller, change, s.clock.Now()); err != nil {
		return err
	}
	next, err := s.hashNewPassword(ctx, by, caller, target, in)
	if err != nil {
		return err
	}
	err = s.updateLocked(ctx, by, caller, target.Name, change, next)
	switch {
	case errors.Is(err, errWrongTOTP): // another request has used the code
		event := s.gate.Event(domain.ActionSetPassword, by, caller).To(string(target.Name))
		return s.gate.Refused(ctx, event, domain.ErrWrongCode)
	case err != nil && next.proof.required:
		s.gate.Release(ctx, next.proof.attempt) // the code was right, and the change failed
	}
	return err
}

// updateLocked takes the locks that serialise this change with other changes. It then authorises the caller again and
// makes the change.
func (s *core) updateLocked(ctx context.Context, by domain.Requester, requested domain.Caller, name domain.UserName,
	change domain.UserChange, next newPassword) error {
	return s.store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		// The lock serialises this transaction with all other changes that admins make. Without the lock, two admins
		// could demote each other at the same time.
		if _, err := repos.System.Lock(ctx); err != nil {
			return err
		}
		user, former, err := lockForChange(ctx, repos, name, requested.Name, change)
		if err != nil {
			return err
		}
		caller, err := s.gate.Caller(ctx, repos, by)
		if err != nil {
			return err
		}
		changes, err := s.changeUser(ctx, repos, caller, change, user, former)
		if err != nil {
			return err
		}
		password, err := s.storeNewPassword(ctx, repos, next)
		if err != nil {
			return err
		}
		if change.Password && !caller.Is(user.ID) {
			event := s.gate.Event(domain.ActionDeleteLocked, by, caller).To(string(user.Name))
			if err := dropLocked(ctx, repos, user.ID, event); err != nil {
				return err
			}
		}
		event := s.gate.Event(actionOf(change), by, caller).To(string(user.Name)).
			Changed(changes...).Changed(password...)
		if err := repos.Events.Append(ctx, event); err != nil || !next.proof.required {
			return err
		}
		return s.gate.ReleaseIn(ctx, repos, next.proof.attempt)
	})
}

// change parses the request.
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

// actionOf returns the action of the audit event of a change.
func actionOf(change domain.UserChange) domain.Action {
	switch {
	case change.HandsOver():
		return domain.ActionHandOver
	case change.Password && change.Role == nil && change.Active == nil && change.Group == nil:
		return domain.ActionSetPassword
	}
	return domain.ActionUpdateUser
}

// lockForChange locks the user. For a handover it also locks the caller, who is the former owner. It locks the two
// users in the order of their names, so that two requests for the same users cannot deadlock.
func lockForChange(ctx context.Context, repos ports.Repos, name, owner domain.UserName,
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

// changeUser makes a change and stores the user, whose row must be locked. For a handover, it also makes the former
// owner a manager. It returns the changes for the audit event.
func (s *core) changeUser(ctx context.Context, repos ports.Repos, caller domain.Caller, change domain.UserChange,
	user, former domain.User) (changes []domain.Change, err error) {
	before := user
	revokeKeys, err := user.Change(caller, change, s.clock.Now())
	if err != nil {
		return nil, err
	}
	if change.HandsOver() && !before.Owner {
		if changes, err = s.handOver(ctx, repos, &user, former); err != nil {
			return nil, err
		}
	}
	saved, err := saveChange(ctx, repos, before, user, revokeKeys)
	return append(changes, saved...), err
}

// handOver makes the user the owner in place of the former owner. The former owner is the caller, because only the
// owner may hand the system over; see domain.User.Change.
func (s *core) handOver(ctx context.Context, repos ports.Repos, user *domain.User,
	former domain.User) ([]domain.Change, error) {
	before := former.Group
	if err := user.TakeOver(&former, s.clock.Now()); err != nil {
		return nil, err
	}
	if err := repos.System.SetOwner(ctx, user.ID); err != nil {
		return nil, err
	}
	return []domain.Change{
		{Property: domain.PropertyOwner, From: string(former.Name), To: string(user.Name)},
		{Property: domain.PropertyFormerOwnerGroup, From: before.String(), To: former.Group.String()},
	}, repos.Users.Save(ctx, former)
}

// saveChange stores a user that domain.User.Change has changed. If revokeKeys is true, it also revokes all API keys of
// the user. The argument "before" is the user before the change. saveChange returns the changes for the audit event.
func saveChange(ctx context.Context, repos ports.Repos, before, user domain.User, revokeKeys bool) ([]domain.Change,
	error) {
	changes := user.ChangesFrom(before)
	if err := repos.Users.Save(ctx, user); err != nil || !revokeKeys {
		return changes, err
	}
	return append(changes, domain.APIKeysRevoked()), repos.APIKeys.DeleteAll(ctx, user.ID)
}
