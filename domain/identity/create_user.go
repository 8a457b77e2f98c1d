package identity

import (
	"context"
	"errors"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// CreateUser is the request for a new user.
type CreateUser struct {
	// Username is displayed in the letter case of the request. The name of the user is Username in lower case.
	Username string
	Password string
	// Role is "user" or "admin", in any letter case. An empty Role means "user".
	Role string
	// Identity is the text form of the user's public identity. It may be empty. The field is for users that are
	// programs. A program cannot set its own identity, because it cannot sign in with a password.
	Identity string
}

// CreatedUser is a new user.
type CreatedUser struct {
	Name domain.UserName
	// APIKey is the user's first API key. It is shown only in this response.
	APIKey string
}

// CreateUser creates a user. Without open registration, only admins may call it. With open registration, every
// requester may call it, even without a credential, but only admins may create admins.
//
// Errors: Conflict with code user_exists or identity_taken; RateLimited after too many registrations from an address.
func (s *Service) CreateUser(ctx context.Context, by domain.Requester, in CreateUser) (CreatedUser, error) {
	creator, err := s.creator(ctx, s.store.Read(), by)
	if err != nil {
		return CreatedUser{}, err
	}
	role, err := s.roleForNewUser(creator, in.Role)
	if err != nil {
		return CreatedUser{}, err
	}
	if creator == nil || !creator.IsAdmin() {
		// Never release the attempt: the number of registrations must be limited, because each one costs a password
		// hash.
		if _, err := s.gate.ReserveAddress(ctx, by, domain.ActionCreateUser); err != nil {
			return CreatedUser{}, err
		}
	}
	var public domain.PublicIdentity
	if in.Identity != "" {
		if public, err = parseNewIdentity(in.Identity); err != nil {
			return CreatedUser{}, err
		}
	}
	user, phc, err := s.newUser(ctx, in.Username, in.Password, role)
	if err != nil {
		return CreatedUser{}, err
	}
	created := CreatedUser{Name: user.Name}
	err = s.store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		// Decide the role again, because the creator may have been demoted while the password was hashed.
		var actor domain.Caller
		if actor, user.Role, err = s.lockCreator(ctx, repos, by, in.Role); err != nil {
			return err
		}
		if created.APIKey, err = s.addUser(ctx, repos, user, phc); err != nil {
			return err
		}
		created := s.gate.Event(domain.ActionCreateUser, by, actor).To(string(user.Name)).
			Changed(newUserChanges(user)...)
		if err := repos.Events.Append(ctx, created); err != nil || in.Identity == "" {
			return err
		}
		return s.addIdentity(ctx, repos, domain.NewIdentity(user.ID, public, s.clock.Now()),
			s.gate.Event(domain.ActionWriteIdentity, by, actor))
	})
	return created, err
}

// parseNewIdentity does the same as domain.ParsePublicIdentity, but its error names the field "identity".
func parseNewIdentity(text string) (domain.PublicIdentity, error) {
	public, err := domain.ParsePublicIdentity(text)
	if refusal, ok := errors.AsType[*domain.Error](err); ok {
		named := *refusal
		named.Field = "identity"
		return public, &named
	}
	return public, err
}

// addIdentity stores the identity of a new user. It appends the event, whose target is the fingerprint of the identity.
func (s *core) addIdentity(ctx context.Context, repos ports.Repos, identity domain.Identity, event domain.Event) error {
	if err := repos.Identities.Put(ctx, identity); err != nil {
		return err
	}
	return repos.Events.Append(ctx, event.To(identity.Fingerprint.String()))
}

// lockCreator runs in the transaction. It authenticates the creator and decides the role of the new user, both for the
// second time. For a request without a token, the returned caller is zero.
func (s *core) lockCreator(ctx context.Context, repos ports.Repos, by domain.Requester,
	requested string) (domain.Caller, domain.Role, error) {
	if !by.Credential.IsZero() {
		// The lock serialises this transaction with a demotion of the creator, because an admin who was demoted must
		// not create admins.
		if _, err := repos.System.Lock(ctx); err != nil {
			return domain.Caller{}, domain.Role{}, err
		}
	}
	creator, err := s.creator(ctx, repos, by)
	if err != nil {
		return domain.Caller{}, domain.Role{}, err
	}
	role, err := s.roleForNewUser(creator, requested)
	if err != nil || creator == nil {
		return domain.Caller{}, role, err
	}
	return *creator, role, nil
}

// creator returns the caller, or nil for a request without a token. An invalid token is refused even if no token is
// required, because a client that sends a token expects to act as its user.
func (s *core) creator(ctx context.Context, repos ports.Repos, by domain.Requester) (*domain.Caller, error) {
	if by.Credential.IsZero() {
		return nil, nil
	}
	caller, err := s.gate.Caller(ctx, repos, by)
	if err != nil {
		return nil, err
	}
	return &caller, nil
}

// roleForNewUser first decides whether the creator may create users. It then parses the requested role and returns the
// role of the new user.
func (s *core) roleForNewUser(creator *domain.Caller, requested string) (domain.Role, error) {
	if _, err := domain.RoleForNewUser(creator, domain.Role{}, s.config.OpenRegistration); err != nil {
		return domain.Role{}, err
	}
	var role domain.Role
	if requested != "" {
		parsed, err := domain.ParseRole(requested)
		if err != nil {
			return domain.Role{}, err
		}
		role = parsed
	}
	return domain.RoleForNewUser(creator, role, s.config.OpenRegistration)
}

// CheckMayCreateUsers returns nil if the requester may create users. Call it to refuse a request before its body is
// read.
func (s *Service) CheckMayCreateUsers(ctx context.Context, by domain.Requester) error {
	creator, err := s.creator(ctx, s.store.Read(), by)
	if err != nil {
		return err
	}
	_, err = s.roleForNewUser(creator, "")
	return err
}
