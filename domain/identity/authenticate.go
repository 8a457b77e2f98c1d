package identity

import (
	"context"
	"errors"
	"time"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/gate"
	"github.com/lockbox-go/lockbox/ports"
)

// Authenticate is the request to sign in with a password.
type Authenticate struct {
	// Username may be in any letter case.
	Username string
	Password string
	// Code is a TOTP code or a recovery code. It is ignored for users without a confirmed TOTP secret.
	Code string
}

// Authenticate opens a session and returns its token and the time when it expires. An unknown user, an inactive user, a
// wrong password and a wrong code return the same error, Unauthenticated with code wrong_credentials, after the same
// work. For a right password without a required code, Authenticate returns Unauthenticated with code totp_required.
// During a lockout, it returns RateLimited; during a lockout that strangers caused, a right password with a right code
// signs in all the same.
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
	// The attempt is reserved before the lookup, so that an unknown username is counted and locked out like a known
	// one.
	attempt, err := s.gate.ReserveSignIn(ctx, by, in.Username, in.Code != "")
	if err != nil {
		return "", time.Time{}, err
	}
	claimed, err := s.claimedUser(ctx, in.Username)
	if err != nil {
		return "", time.Time{}, err
	}
	event := s.signInEvent(by, claimed.User)
	check, err := s.checkPassword(ctx, password, claimed.Password, event)
	if err != nil {
		s.gate.Release(ctx, attempt) // the password was not compared
		return "", time.Time{}, err
	}
	// The attempt stays counted, even for an inactive user with the right password. Otherwise the missing lockout would
	// reveal that the password is right.
	required := claimed.Code.Code.Confirmed()
	if !check.Match || !claimed.User.Active || attempt.Locked() && !required {
		return "", time.Time{}, s.refuseSignIn(ctx, attempt, event, domain.ErrWrongCredentials)
	}
	if check.Outdated {
		// Rehash now: strengthening a hash requires the password itself.
		s.rehash(ctx, password, claimed.Password)
	}
	if required && in.Code == "" {
		s.gate.Release(ctx, attempt) // the password was right
		return "", time.Time{}, s.gate.Refused(ctx, event, domain.ErrCodeRequired)
	}
	return s.signInWithPassword(ctx, by, attempt, claimed, in.Code)
}

// refuseSignIn audits the refusal of a sign-in with wrong credentials and returns it. During a lockout it returns the
// refusal of the lockout instead, whatever the reason: otherwise a client could guess while the account is locked out.
func (s *core) refuseSignIn(ctx context.Context, attempt gate.Attempt, event domain.Event, refusal error) error {
	err := s.gate.Refused(ctx, event, refusal)
	if attempt.Locked() && errors.Is(err, refusal) {
		return attempt.Refusal()
	}
	return err
}

// claimedUser returns the stored credentials of the user with that name, or zero credentials if the user does not
// exist. For an invalid name, it looks up the empty name, which no user has, so that the time is the same.
func (s *core) claimedUser(ctx context.Context, username string) (ports.SignIn, error) {
	name, err := domain.ParseUserName(username)
	if err != nil {
		name = ""
	}
	found, err := s.store.Read().Users.ForSignIn(ctx, name)
	if errors.Is(err, domain.NotFound) {
		return ports.SignIn{}, nil
	}
	return found, err
}

// signInEvent is the event of a sign-in that was not successful. It names the user only if the user exists: an unknown
// username may be a password that was typed into the wrong field.
func (s *core) signInEvent(by domain.Requester, user domain.User) domain.Event {
	return s.gate.Event(domain.ActionSignIn, by, domain.Caller{}).To(string(user.Name))
}

// signInWithPassword opens the session, after the password matched. It checks the code of a user with a confirmed TOTP
// secret first. Errors: Unauthenticated with code wrong_credentials for a wrong code.
func (s *core) signInWithPassword(ctx context.Context, by domain.Requester, attempt gate.Attempt, claimed ports.SignIn,
	code string) (token string, ends time.Time, err error) {
	user, required := claimed.User, claimed.Code.Code.Confirmed()
	var use totpUse
	if required {
		if use, err = s.readTOTP(ctx, claimed.Code, code, s.signInEvent(by, user)); err != nil {
			return "", time.Time{}, err
		}
	}
	session := domain.NewSession(s.ids.New(), user, s.clock.Now(), s.config.SessionTTL)
	err = s.store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		if required {
			// The code is marked as used in the same transaction, so that no other sign-in can use it.
			if err := s.spendTOTP(ctx, repos, use); err != nil {
				return err
			}
		}
		var err error
		// Sign inside the transaction: if the server key was retired meanwhile, the transaction runs again and signs
		// with the new key.
		if token, err = s.openSession(ctx, repos, by, user, session); err != nil {
			return err
		}
		return s.gate.Succeed(ctx, repos, attempt)
	})
	switch {
	case errors.Is(err, errWrongTOTP):
		return "", time.Time{}, s.refuseSignIn(ctx, attempt, s.signInEvent(by, user), domain.ErrWrongCredentials)
	case err != nil:
		s.gate.Release(ctx, attempt) // the credentials were right, and the database failed
	}
	return token, session.ExpiresAt, err
}

// openSession stores a session with its audit event and returns the token. It needs no lock on the user, because the
// session contains the epoch that was read before the password was checked. If a password change or a deactivation has
// raised the user's epoch since, the session is not valid.
func (s *core) openSession(ctx context.Context, repos ports.Repos, by domain.Requester, user domain.User,
	session domain.Session) (token string, err error) {
	credential := domain.Credential{Kind: domain.SessionCredential, ID: session.ID, User: user.ID}
	token, session.SignedBy, err = s.config.Tokens.Mint(ctx, ports.TokenClaims{
		Credential: credential,
		IssuedAt:   session.CreatedAt,
		ExpiresAt:  session.ExpiresAt,
	})
	if err != nil {
		return "", err
	}
	if err := repos.Sessions.Add(ctx, session); err != nil {
		return "", err
	}
	caller := domain.Caller{UserID: user.ID, Name: user.Name, Credential: credential}
	return token, repos.Events.Append(ctx, s.gate.Event(domain.ActionSignIn, by, caller).To(string(user.Name)))
}
