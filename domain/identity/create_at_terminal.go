package identity

import (
	"context"
	"errors"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// OperatorCreateUser asks for a user who signs in with codes. Where there is one of that name already, all its sessions
// end, and with Recreate it gets a new secret and the group.
type OperatorCreateUser struct {
	Username string
	Group    string
	Recreate bool
}

// OperatorUser is what became of it.
type OperatorUser struct {
	User domain.User
	// Made: it is new; otherwise it was there, and its sessions have ended.
	Made bool
	// Enrolment shows the secret; nil for one that its user enrolled, which nobody is shown.
	Enrolment *ports.Enrolment
}

// OperatorCreateUser makes a user, or ends the sessions of one. The first owner that is made so initializes the system; a
// second is declined.
func (s Operator) CreateUser(ctx context.Context, in OperatorCreateUser) (OperatorUser, error) {
	name, err := domain.ParseUserName(in.Username)
	if err != nil {
		return OperatorUser{}, err
	}
	group, err := domain.ParseGroup(in.Group)
	if err != nil {
		return OperatorUser{}, err
	}
	fresh, err := s.Codes.NewSecret()
	if err != nil {
		return OperatorUser{}, err
	}
	defer fresh.Clear()
	var done OperatorUser
	var stored ports.SealedTOTPSecret
	err = s.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		owner, err := repos.System.Lock(ctx)
		if err != nil {
			return err
		}
		user, err := repos.Users.Lock(ctx, name)
		if err != nil && !errors.Is(err, domain.NotFound) {
			return err
		}
		if group == domain.GroupOwner && !owner.IsZero() && owner != user.ID {
			return domain.ErrSecondOwner
		}
		if done.Made = err != nil; done.Made {
			user = domain.NewUser(s.IDs.New(), name, domain.RoleUser, s.Clock.Now())
			user.Spelling = in.Username
		}
		stored, err = s.remake(ctx, repos, &user, group, done.Made, in.Recreate, fresh)
		done.User = user
		return err
	})
	if err != nil || stored.Sealed == nil {
		return done, err
	}
	shown, err := s.enrolment(ctx, done.User, stored)
	done.Enrolment = &shown
	return done, err
}

// remake stores the user, and returns the code that may be shown; none for one that its user enrolled.
func (s *core) remake(ctx context.Context, repos ports.Repos, user *domain.User, group domain.Group,
	made, recreate bool,
	fresh domain.Secret) (ports.SealedTOTPSecret, error) {
	action := domain.ActionRevoke
	wasOwner := user.Owner
	if made || recreate {
		if wasOwner && group != domain.GroupOwner {
			return ports.SealedTOTPSecret{}, domain.ErrOwnerStays
		}
		action = domain.ActionEnrolTOTP
		user.Group = group
		if group == domain.GroupOwner {
			if err := user.TakeOver(&domain.User{}, s.Clock.Now()); err != nil {
				return ports.SealedTOTPSecret{}, err
			}
		}
	}
	if made {
		action = domain.ActionCreateUser
		if err := repos.Users.Add(ctx, *user, ports.SealedPassword{}); err != nil {
			return ports.SealedTOTPSecret{}, err
		}
	} else {
		user.EndSessions()
		user.UpdatedAt = s.Clock.Now()
		if err := repos.Users.Save(ctx, *user); err != nil {
			return ports.SealedTOTPSecret{}, err
		}
	}
	if user.Owner && !wasOwner {
		action = domain.ActionInitialize
		if err := repos.System.SetOwner(ctx, user.ID); err != nil {
			return ports.SealedTOTPSecret{}, err
		}
	}
	if err := repos.Events.Append(ctx, s.operatorEvent(action, user.Name)); err != nil {
		return ports.SealedTOTPSecret{}, err
	}
	return s.totpSecretFor(ctx, repos, *user, recreate, fresh)
}

func (s *core) totpSecretFor(ctx context.Context, repos ports.Repos, user domain.User, recreate bool,
	fresh domain.Secret) (ports.SealedTOTPSecret, error) {
	if recreate {
		if _, err := repos.TOTPSecrets.Delete(ctx, user.ID); err != nil {
			return ports.SealedTOTPSecret{}, err
		}
	}
	stored, err := repos.TOTPSecrets.Get(ctx, user.ID, false)
	switch {
	case errors.Is(err, domain.NotFound):
		return s.putCode(ctx, repos, domain.TOTPSecret{ID: s.IDs.New(), User: user.ID, CreatedAt: s.Clock.Now()}, fresh,
			nil)
	case err == nil && stored.Code.Own:
		return ports.SealedTOTPSecret{}, nil
	}
	return stored, err
}
