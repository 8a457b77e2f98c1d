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
	// Role is user or admin, in any letter case. An empty Role means user.
	Role string
	// Identity is the written form of a public identity, or empty for a user without an identity. A program cannot sign
	// in with a password to set its own identity, so the caller who creates the program's user may set the identity.
	Identity string
}

// CreatedUser is a new user.
type CreatedUser struct {
	Name domain.UserName
	// APIKey is the user's first API key, which is shown only once.
	APIKey string
}

// CreateUser creates a user. Only admins may call it. With open registration, every requester may call it, with or
// without a credential. The new user then has the role user, unless the caller is an admin. Errors: Conflict with code
// user_exists or identity_taken, RateLimited after too many registrations from an address.
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
		// A registration is not a guess, but it costs a password hash, so the attempt is never released.
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
		// The role is decided again: the creator may have been demoted while the password was hashed.
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

// parseNewIdentity is domain.ParsePublicIdentity for the field identity of a new user.
func parseNewIdentity(text string) (domain.PublicIdentity, error) {
	public, err := domain.ParsePublicIdentity(text)
	if refusal, ok := errors.AsType[*domain.Error](err); ok {
		named := *refusal
		named.Field = "identity"
		return public, &named
	}
	return public, err
}

// addIdentity stores the identity of a new user. The event's target becomes the fingerprint.
func (s *core) addIdentity(ctx context.Context, repos ports.Repos, identity domain.Identity, event domain.Event) error {
	if err := repos.Identities.Put(ctx, identity); err != nil {
		return err
	}
	return repos.Events.Append(ctx, event.To(identity.Fingerprint.String()))
}

// lockCreator returns the caller who creates the user, and the role of the new user. It decides both again, inside the
// transaction. The caller is zero for a request without a token.
func (s *core) lockCreator(ctx context.Context, repos ports.Repos, by domain.Requester,
	requested string) (domain.Caller, domain.Role, error) {
	if !by.Credential.IsZero() {
		// The lock serialises this transaction with a demotion of the creator: an admin who was demoted must not create
		// admins.
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

// creator returns the caller, or nil for a request without a token. An invalid token is always refused, even if no
// token is required, because the sender expects to act as a user.
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

// roleForNewUser decides whether the creator may create users and returns the role that the new user gets. It checks
// the right of the creator before it checks the requested role.
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

// CheckMayCreateUsers returns nil when the requester may create users. It does not depend on the rest of the request.
func (s *Service) CheckMayCreateUsers(ctx context.Context, by domain.Requester) error {
	creator, err := s.creator(ctx, s.store.Read(), by)
	if err != nil {
		return err
	}
	_, err = s.roleForNewUser(creator, "")
	return err
}
