package identity

import (
	"context"
	"errors"
	"time"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// Authenticate signs a user in with a password and, where the user has confirmed one-time codes, with a code or a
// recovery code.
type Authenticate struct {
	Username string
	Password string
	Code     string
}

// Authenticate returns a session's token and when it ends. A wrong user, a wrong password and an inactive user give
// the same error, Unauthenticated with code wrong_credentials, after the same work; so does a wrong code. A right
// password without a code that is wanted is Unauthenticated with code totp_required. RateLimited after too many.
func (s *Service) Authenticate(ctx context.Context, by domain.Requester, in Authenticate) (token string, ends time.Time,
	err error) {
	password, err := domain.ParseGivenPassword(in.Password)
	if err != nil {
		return "", time.Time{}, err
	}
	defer password.Clear()
	if in.Username == "" {
		return "", time.Time{}, domain.InvalidField("username", "username_required", "username is missing or empty")
	}
	try, err := s.reserveAccount(ctx, by, domain.ActionSignIn, in.Username)
	if err != nil {
		return "", time.Time{}, err
	}
	claimed, err := s.claimedUser(ctx, in.Username)
	if err != nil {
		return "", time.Time{}, err
	}
	signIn := s.signIn(by, claimed.User)
	check, err := s.checkPassword(ctx, password, claimed.Password, signIn)
	if err != nil {
		s.release(ctx, try) // nothing was compared
		return "", time.Time{}, err
	}
	if !check.Match || !claimed.User.Active {
		return "", time.Time{}, s.denied(ctx, signIn, domain.ErrWrongCredentials)
	}
	if check.Outdated {
		s.rehash(ctx, password, claimed.Password)
	}
	if claimed.Code.Code.Confirmed() && in.Code == "" {
		s.release(ctx, try)
		return "", time.Time{}, s.denied(ctx, signIn, domain.ErrCodeRequired)
	}
	return s.openSession(ctx, by, try, claimed, in.Code)
}

// claimedUser returns the user of that name; the zero User when there is none, or when no user can have such a name.
func (s *core) claimedUser(ctx context.Context, username string) (ports.SignIn, error) {
	name, err := domain.ParseUserName(username)
	if err != nil {
		name = "" // which nobody has: the look-up is done all the same, so that it costs the same
	}
	found, err := s.Store.Read().Users.ForSignIn(ctx, name)
	if errors.Is(err, domain.NotFound) {
		return ports.SignIn{}, nil
	}
	return found, err
}

// signIn is the record of somebody who says to be that user. A name that no user has is left out of it: it may be a
// password that somebody typed into the wrong field.
func (s *core) signIn(by domain.Requester, user domain.User) domain.Event {
	return s.event(domain.ActionSignIn, by, domain.Caller{}).To(string(user.Name))
}

// rehash replaces a hash that was made with weaker settings. Its failure is no failure of the sign-in: the next one
// tries again.
func (s *core) rehash(ctx context.Context, password domain.Secret, stored ports.SealedPassword) {
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
// and is dead on arrival when a change of password or a deactivation has moved it on. The code is spent in the same
// transaction, so that no other sign-in can spend it too.
func (s *core) openSession(ctx context.Context, by domain.Requester, try attempt, claimed ports.SignIn,
	code string) (token string, ends time.Time, err error) {
	user := claimed.User
	use := codeUse{}
	if claimed.Code.Code.Confirmed() {
		if use, err = s.readCode(ctx, claimed.Code, code, true, s.signIn(by, user)); err != nil {
			return "", time.Time{}, err
		}
	}
	session := domain.NewSession(s.IDs.New(), user, s.Clock.Now(), s.SessionTTL)
	credential := domain.Credential{Kind: domain.SessionCredential, ID: session.ID, User: user.ID}
	err = s.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		if claimed.Code.Code.Confirmed() {
			if err := s.spend(ctx, repos, use); err != nil {
				return err
			}
		}
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
		if err := repos.Events.Append(ctx, s.event(domain.ActionSignIn, by, caller).To(string(user.Name))); err != nil {
			return err
		}
		return s.succeed(ctx, repos, try)
	})
	switch {
	case errors.Is(err, errCodeSpent):
		return "", time.Time{}, s.denied(ctx, s.signIn(by, user), domain.ErrWrongCredentials)
	case err != nil:
		s.release(ctx, try) // all was right, and the database failed
	}
	return token, session.ExpiresAt, err
}
