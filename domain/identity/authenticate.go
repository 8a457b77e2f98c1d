package identity

import (
	"context"
	"errors"
	"time"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// Authenticate signs a user in with a password.
type Authenticate struct {
	Username string
	Password string
}

// Authenticate returns a session's token and when it ends. A wrong user, a wrong password and an inactive user give
// the same error, Unauthenticated with code wrong_credentials, after the same work.
func (s *Service) Authenticate(ctx context.Context, by domain.Requester, in Authenticate) (token string, ends time.Time, err error) {
	password, err := domain.ParseGivenPassword(in.Password)
	if err != nil {
		return "", time.Time{}, err
	}
	defer password.Clear()
	if in.Username == "" {
		return "", time.Time{}, domain.InvalidField("username", "username_required", "username is missing or empty")
	}
	user, stored, err := s.claimedUser(ctx, in.Username)
	if err != nil {
		return "", time.Time{}, err
	}
	// A name that no user has is left out of the record: it may be a password that somebody typed into the wrong field.
	attempt := s.event(domain.ActionSignIn, by, domain.Caller{}).To(string(user.Name))
	check, err := s.checkPassword(ctx, password, stored, attempt)
	if err != nil {
		return "", time.Time{}, err
	}
	if !check.Match || !user.Active {
		return "", time.Time{}, s.denied(ctx, attempt, domain.ErrWrongCredentials)
	}
	if check.Outdated {
		s.rehash(ctx, password, stored)
	}
	return s.openSession(ctx, by, user)
}

// claimedUser returns the user of that name; the zero User when there is none, or when no user can have such a name.
func (s *Service) claimedUser(ctx context.Context, username string) (domain.User, ports.SealedPassword, error) {
	name, err := domain.ParseUserName(username)
	if err != nil {
		name = "" // which nobody has: the look-up is done all the same, so that it costs the same
	}
	user, stored, err := s.Store.Read().Users.WithPassword(ctx, name)
	if errors.Is(err, domain.NotFound) {
		return domain.User{}, ports.SealedPassword{}, nil
	}
	return user, stored, err
}

// rehash replaces a hash that was made with weaker settings. Its failure is no failure of the sign-in: the next one
// tries again.
func (s *Service) rehash(ctx context.Context, password domain.Secret, stored ports.SealedPassword) {
	phc, err := s.Passwords.Hash(ctx, password)
	if err != nil {
		return
	}
	_ = s.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		replaced, err := s.sealPassword(ctx, stored.User, phc)
		if err != nil {
			return err
		}
		return repos.Users.SetPassword(ctx, stored, replaced)
	})
}

// openSession needs no lock on the user: the session carries the epoch that was read before the password was checked,
// and is dead on arrival when a change of password or a deactivation has moved it on.
func (s *Service) openSession(ctx context.Context, by domain.Requester, user domain.User) (token string, ends time.Time, err error) {
	now := s.Clock.Now()
	session := domain.NewSession(s.IDs.New(), user, now, s.SessionTTL)
	credential := domain.Credential{Kind: domain.SessionCredential, ID: session.ID, User: user.ID}
	err = s.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		var err error
		token, session.SignedBy, err = s.Tokens.Mint(ctx, ports.TokenClaims{
			Credential: credential, IssuedAt: session.CreatedAt, ExpiresAt: session.ExpiresAt})
		if err != nil {
			return err
		}
		if err := repos.Sessions.Add(ctx, session); err != nil {
			return err
		}
		caller := domain.Caller{UserID: user.ID, Name: user.Name, Credential: credential}
		return repos.Events.Append(ctx, s.event(domain.ActionSignIn, by, caller).To(string(user.Name)))
	})
	return token, session.ExpiresAt, err
}
