package identity

import (
	"context"
	"errors"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// CreateAtTerminal asks for a user who signs in with codes. Where there is one of that name already, all its sessions
// end, and with Recreate it gets a new secret and the group.
type CreateAtTerminal struct {
	Username string
	Group    string
	Recreate bool
}

// AccountAtTerminal is what became of it.
type AccountAtTerminal struct {
	User domain.User
	// Made: it is new; otherwise it was there, and its sessions have ended.
	Made bool
	// Enrolment shows the secret; nil for one that its user enrolled, which nobody is shown.
	Enrolment *ports.Enrolment
}

// CreateAtTerminal makes a user, or ends the sessions of one. The first owner that is made so initializes the system; a
// second is declined.
func (s *Service) CreateAtTerminal(ctx context.Context, in CreateAtTerminal) (AccountAtTerminal, error) {
	name, err := domain.ParseUserName(in.Username)
	if err != nil {
		return AccountAtTerminal{}, err
	}
	group, err := domain.ParseGroup(in.Group)
	if err != nil {
		return AccountAtTerminal{}, err
	}
	fresh, err := s.Codes.NewSecret()
	if err != nil {
		return AccountAtTerminal{}, err
	}
	defer fresh.Clear()
	var done AccountAtTerminal
	var stored ports.StoredCode
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
func (s *Service) remake(ctx context.Context, repos ports.Repos, user *domain.User, group domain.Group, made, recreate bool,
	fresh domain.Secret) (ports.StoredCode, error) {
	action := domain.ActionRevoke
	wasOwner := user.Owner
	if made || recreate {
		if wasOwner && group != domain.GroupOwner {
			return ports.StoredCode{}, domain.ErrOwnerStays
		}
		action = domain.ActionEnrolCode
		user.Group = group
		if group == domain.GroupOwner {
			if err := user.TakeOver(&domain.User{}, s.Clock.Now()); err != nil {
				return ports.StoredCode{}, err
			}
		}
	}
	if made {
		action = domain.ActionCreateUser
		if err := repos.Users.Add(ctx, *user, ports.SealedPassword{}); err != nil {
			return ports.StoredCode{}, err
		}
	} else {
		user.EndSessions()
		user.UpdatedAt = s.Clock.Now()
		if err := repos.Users.Save(ctx, *user); err != nil {
			return ports.StoredCode{}, err
		}
	}
	if user.Owner && !wasOwner {
		action = domain.ActionInitialize
		if err := repos.System.SetOwner(ctx, user.ID); err != nil {
			return ports.StoredCode{}, err
		}
	}
	if err := repos.Events.Append(ctx, s.terminalEvent(action, user.Name)); err != nil {
		return ports.StoredCode{}, err
	}
	return s.codeAtTerminal(ctx, repos, *user, recreate, fresh)
}

func (s *Service) codeAtTerminal(ctx context.Context, repos ports.Repos, user domain.User, recreate bool, fresh domain.Secret) (ports.StoredCode, error) {
	if recreate {
		if _, err := repos.OneTimeCodes.Delete(ctx, user.ID); err != nil {
			return ports.StoredCode{}, err
		}
	}
	stored, err := repos.OneTimeCodes.Get(ctx, user.ID, false)
	switch {
	case errors.Is(err, domain.NotFound):
		return s.putCode(ctx, repos, domain.OneTimeCode{ID: s.IDs.New(), User: user.ID, CreatedAt: s.Clock.Now()}, fresh, nil)
	case err == nil && stored.Code.Own:
		return ports.StoredCode{}, nil
	}
	return stored, err
}
