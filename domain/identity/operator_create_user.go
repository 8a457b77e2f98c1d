package identity

import (
	"context"
	"errors"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// OperatorCreateUser is the request for a user who signs in with TOTP codes. Where the user exists, all its sessions
// are revoked; with Recreate it also gets a new secret and the group.
type OperatorCreateUser struct {
	// Username keeps its letter case for display; its lower case is the name.
	Username string
	// Group is viewer, manager or owner, in any letter case.
	Group string
	// Recreate replaces the TOTP secret of an existing user and sets the group.
	Recreate bool
}

// OperatorUser is the user after CreateUser.
type OperatorUser struct {
	User domain.User
	// Created is false for a user who existed before.
	Created bool
	// Enrolment shows the TOTP secret; nil for a secret that its user enrolled, which is never shown again.
	Enrolment *ports.Enrolment
}

// CreateUser creates a user, or revokes the sessions of an existing one. The first owner who is created this way
// initializes the system. Errors: Conflict with code second_owner where the system has another owner, and with
// owner_stays for another group of the owner.
func (s Operator) CreateUser(ctx context.Context, in OperatorCreateUser) (OperatorUser, error) {
	name, err := domain.ParseUserName(in.Username)
	if err != nil {
		return OperatorUser{}, err
	}
	group, err := domain.ParseGroup(in.Group)
	if err != nil {
		return OperatorUser{}, err
	}
	// Made before the transaction, which may run several times, and dropped if the user keeps the present secret.
	fresh, err := s.config.TOTP.NewSecret()
	if err != nil {
		return OperatorUser{}, err
	}
	defer fresh.Clear()
	var result OperatorUser
	var stored ports.SealedTOTPSecret
	err = s.store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		var err error
		if result, err = s.lockOrNewUser(ctx, repos, name, group); err != nil {
			return err
		}
		if result.Created {
			result.User.Spelling = in.Username
		}
		if err = s.storeOperatorUser(ctx, repos, &result, group, in.Recreate); err != nil {
			return err
		}
		stored, err = s.operatorTOTP(ctx, repos, result.User.ID, in.Recreate, fresh)
		return err
	})
	if err != nil || stored.Sealed == nil {
		return result, err // without a secret that may be shown
	}
	shown, err := s.enrolment(ctx, result.User, stored)
	result.Enrolment = &shown
	return result, err
}

// lockOrNewUser locks the system and the user, or returns a new user where there is none. It stores nothing.
func (s *core) lockOrNewUser(ctx context.Context, repos ports.Repos, name domain.UserName,
	group domain.Group) (OperatorUser, error) {
	owner, err := repos.System.Lock(ctx)
	if err != nil {
		return OperatorUser{}, err
	}
	user, err := repos.Users.Lock(ctx, name)
	created := errors.Is(err, domain.NotFound)
	if err != nil && !created {
		return OperatorUser{}, err
	}
	if group == domain.GroupOwner && !owner.IsZero() && owner != user.ID {
		return OperatorUser{}, domain.ErrSecondOwner
	}
	if created {
		user = domain.NewUser(s.ids.New(), name, domain.RoleUser, s.clock.Now())
	}
	return OperatorUser{User: user, Created: created}, nil
}

// storeOperatorUser gives a new or recreated user its group, revokes the sessions of one who existed, and stores the
// user with its audit event.
func (s *core) storeOperatorUser(ctx context.Context, repos ports.Repos, result *OperatorUser, group domain.Group,
	recreate bool) error {
	user, wasOwner := &result.User, result.User.Owner
	if result.Created || recreate {
		if err := user.AssignGroup(group, s.clock.Now()); err != nil {
			return err
		}
	}
	var err error
	if result.Created {
		err = repos.Users.Add(ctx, *user, ports.SealedPassword{})
	} else {
		user.EndSessions()
		user.UpdatedAt = s.clock.Now()
		err = repos.Users.Save(ctx, *user)
	}
	if err != nil {
		return err
	}
	// The event has the most important of the things that were done.
	action := domain.ActionRevoke
	switch {
	case user.Owner && !wasOwner:
		action = domain.ActionInitialize
		if err := repos.System.SetOwner(ctx, user.ID); err != nil {
			return err
		}
	case result.Created:
		action = domain.ActionCreateUser
	case recreate:
		action = domain.ActionEnrolTOTP
	}
	return repos.Events.Append(ctx, s.operatorEvent(action, user.Name))
}

// operatorTOTP returns the secret that is shown to the operator: the stored one, or fresh, which it stores, where there
// is none or the user is recreated. It returns a zero secret where the user has enrolled one.
func (s *core) operatorTOTP(ctx context.Context, repos ports.Repos, user domain.UserID, recreate bool,
	fresh domain.Secret) (ports.SealedTOTPSecret, error) {
	if recreate {
		if _, err := repos.TOTPSecrets.Delete(ctx, user); err != nil {
			return ports.SealedTOTPSecret{}, err
		}
	}
	stored, err := repos.TOTPSecrets.Get(ctx, user, false)
	switch {
	case errors.Is(err, domain.NotFound):
		return s.putUnconfirmedTOTP(ctx, repos, user, fresh)
	case err == nil && stored.Code.Own:
		return ports.SealedTOTPSecret{}, nil
	}
	return stored, err
}
