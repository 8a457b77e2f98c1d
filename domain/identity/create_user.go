package identity

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// CreateUser asks for a new user. Role is empty for the default.
type CreateUser struct {
	Username string
	Password string
	Role     string
}

// CreatedUser is a new user and its first API key, which is shown this once.
type CreatedUser struct {
	Name   domain.UserName
	APIKey string
}

// CreateUser makes a user. With open registration anybody may, with no credential at all; the role is user then.
func (s *Service) CreateUser(ctx context.Context, by domain.Requester, in CreateUser) (CreatedUser, error) {
	creator, err := s.creator(ctx, s.Store.Read(), by)
	if err != nil {
		return CreatedUser{}, err
	}
	role, err := s.roleForNewUser(creator, in.Role)
	if err != nil {
		return CreatedUser{}, err
	}
	if creator == nil || !creator.IsAdmin() {
		// A new account is nobody's guess, but each costs a hash: there is no giving back.
		if _, err := s.reserveAddress(ctx, by, domain.ActionCreateUser); err != nil {
			return CreatedUser{}, err
		}
	}
	user, phc, err := s.newUser(ctx, in.Username, in.Password, role)
	if err != nil {
		return CreatedUser{}, err
	}
	created := CreatedUser{Name: user.Name}
	err = s.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		if !by.Credential.IsZero() {
			// The system's row orders this against the demotion of whoever asks: no admin is made by one that was.
			if _, err := repos.System.Lock(ctx); err != nil {
				return err
			}
		}
		creator, err := s.creator(ctx, repos, by)
		if err != nil {
			return err
		}
		if user.Role, err = s.roleForNewUser(creator, in.Role); err != nil {
			return err
		}
		if created.APIKey, err = s.addUser(ctx, repos, user, phc); err != nil {
			return err
		}
		actor := domain.Caller{}
		if creator != nil {
			actor = *creator
		}
		return repos.Events.Append(ctx, s.event(domain.ActionCreateUser, by, actor).To(string(user.Name)))
	})
	return created, err
}

// creator returns nil for a request without a token. A token that is no good is refused even where none is needed:
// whoever sent it believes to be somebody.
func (s *core) creator(ctx context.Context, repos ports.Repos, by domain.Requester) (*domain.Caller, error) {
	if by.Credential.IsZero() {
		return nil, nil
	}
	caller, err := s.authenticated(ctx, repos, by)
	if err != nil {
		return nil, err
	}
	return &caller, nil
}

func (s *core) roleForNewUser(creator *domain.Caller, asked string) (domain.Role, error) {
	// Who may not create users is told so before anything is said of the role that was asked for.
	if _, err := domain.RoleForNewUser(creator, domain.Role{}, s.OpenRegistration); err != nil {
		return domain.Role{}, err
	}
	var role domain.Role
	if asked != "" {
		parsed, err := domain.ParseRole(asked)
		if err != nil {
			return domain.Role{}, err
		}
		role = parsed
	}
	return domain.RoleForNewUser(creator, role, s.OpenRegistration)
}

// CheckMayCreateUsers returns nil when the requester could create a user, given good input.
func (s *Service) CheckMayCreateUsers(ctx context.Context, by domain.Requester) error {
	creator, err := s.creator(ctx, s.Store.Read(), by)
	if err != nil {
		return err
	}
	_, err = s.roleForNewUser(creator, "")
	return err
}
