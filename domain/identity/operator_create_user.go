package identity

import (
	"context"
	"errors"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// OperatorCreateUser is the request of [Operator.CreateUser].
type OperatorCreateUser struct {
	// Username may be in any letter case. The name of the user is Username in lower case. If the user is new, the
	// display name keeps the letter case of Username.
	Username string
	// Group is "viewer", "manager" or "owner", in any letter case. For an existing user, Group applies only if Recreate
	// is true.
	Group string
	// Recreate makes CreateUser replace the TOTP secret of an existing user and set the user's group to Group.
	Recreate bool
}

// OperatorUser is the result of [Operator.CreateUser].
type OperatorUser struct {
	User domain.User
	// Created is false for a user who existed before.
	Created bool
	// Enrolment contains the TOTP secret. It is nil if the user has enrolled a secret, because such a secret is never
	// shown again.
	Enrolment *ports.Enrolment
}

// CreateUser creates a user who signs in with TOTP codes. If the user exists, it revokes the user's sessions instead.
// Creating the first owner initializes the system.
//
// CreateUser returns an error of kind Conflict with code second_owner if Group is "owner" and another user is already
// the owner. The code is owner_stays if the request would change the owner's group.
func (s Operator) CreateUser(ctx context.Context, in OperatorCreateUser) (OperatorUser, error) {
	name, err := domain.ParseUserName(in.Username)
	if err != nil {
		return OperatorUser{}, err
	}
	group, err := domain.ParseGroup(in.Group)
	if err != nil {
		return OperatorUser{}, err
	}
	// Generate the secret outside the transaction, because the transaction may run several times. The new secret is not
	// used if the user keeps the stored secret.
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
		event, err := s.storeOperatorUser(ctx, repos, &result, group, in.Recreate)
		if err != nil {
			return err
		}
		changes, err := watchTOTP(ctx, repos, result.User.ID, totpUse{}, func() error {
			stored, err = s.operatorTOTP(ctx, repos, result.User.ID, in.Recreate, fresh)
			return err
		})
		if err != nil {
			return err
		}
		return repos.Events.Append(ctx, event.Changed(changes...))
	})
	if err != nil || stored.Sealed == nil {
		return result, err // no Enrolment: there is no secret that may be shown
	}
	shown, err := s.enrolment(ctx, result.User, stored)
	result.Enrolment = &shown
	return result, err
}

// lockOrNewUser locks the system and the user, and returns the user. If the user does not exist, it returns a new user
// but does not store it.
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

// storeOperatorUser stores the user. It sets the user's group if the user is new or recreate is true. It revokes the
// sessions of an existing user. It returns the audit event, to which the caller must add the changes of the TOTP
// secret.
func (s *core) storeOperatorUser(ctx context.Context, repos ports.Repos, result *OperatorUser, group domain.Group,
	recreate bool) (event domain.Event, err error) {
	user, before := &result.User, result.User
	if result.Created {
		before = domain.User{}
	}
	if result.Created || recreate {
		if err := user.AssignGroup(group, s.clock.Now()); err != nil {
			return event, err
		}
	}
	if result.Created {
		err = repos.Users.Add(ctx, *user, ports.SealedPassword{})
	} else {
		user.EndSessions()
		user.UpdatedAt = s.clock.Now()
		err = repos.Users.Save(ctx, *user)
	}
	if err != nil {
		return event, err
	}
	// An event has only one action, so it gets the action of the most important change.
	action, changes := domain.ActionRevoke, user.ChangesFrom(before)
	switch {
	case user.Owner && !before.Owner:
		action = domain.ActionInitialize
		changes = append(changes, domain.Change{Property: domain.PropertyOwner, To: string(user.Name)})
		if err := repos.System.SetOwner(ctx, user.ID); err != nil {
			return event, err
		}
	case result.Created:
		action = domain.ActionCreateUser
	case recreate:
		action = domain.ActionEnrolTOTP
	}
	return s.operatorEvent(action, user.Name).Changed(changes...), nil
}

// operatorTOTP returns the secret that the command shows to the operator. If recreate is true, or if the user has no
// secret, operatorTOTP stores the argument fresh as the user's secret and returns it. Otherwise operatorTOTP returns
// the stored secret. If the user enrolled the stored secret, operatorTOTP returns zero instead, because such a secret
// must not be shown.
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
