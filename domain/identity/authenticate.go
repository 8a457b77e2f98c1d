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
// During a lockout, it returns RateLimited. Even during a lockout that strangers caused, a right password with a right
// TOTP code signs in.
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
	claimed := attempt.User()
	event := s.signInEvent(by, claimed.User)
	check, err := s.checkPassword(ctx, password, claimed.Password, event)
	if err != nil {
		s.gate.Release(ctx, attempt) // the password was not compared
		return "", time.Time{}, err
	}
	required, use := claimed.Code.Code.Confirmed(), totpUse{}
	if attempt.Locked() {
		// The code is compared even if the password is wrong: the duration must not reveal a right password. A recovery
		// code is not accepted, because only the database can compare it.
		if use, err = s.readTOTPOnly(ctx, claimed.Code, in.Code, event); err != nil {
			return "", time.Time{}, err
		}
	}
	// The attempt stays counted, even for an inactive user with the right password. Otherwise the missing lockout would
	// reveal that the password is right.
	if !check.Match || !claimed.User.Active || attempt.Locked() && (!required || use.wrong()) {
		return "", time.Time{}, s.refuseSignIn(ctx, attempt, event, domain.ErrWrongCredentials)
	}
	if required && in.Code == "" {
		s.gate.Release(ctx, attempt) // the password was right
		return "", time.Time{}, s.gate.Refused(ctx, event, domain.ErrCodeRequired)
	}
	if required && !attempt.Locked() {
		if use, err = s.readTOTP(ctx, claimed.Code, in.Code, event); err != nil {
			return "", time.Time{}, err
		}
		if use.wrong() {
			return "", time.Time{}, s.gate.Refused(ctx, event, domain.ErrWrongCredentials)
		}
	}
	opened := ports.OpenedSignIn{Rehashed: s.rehash(ctx, check, password, claimed.Password)}
	if required {
		opened.Code = use.stored()
	}
	return s.openSession(ctx, by, attempt, claimed.User, opened)
}

// refuseSignIn audits the refusal of a sign-in with wrong credentials and returns it. During a lockout, it returns the
// refusal of the lockout instead, whichever credential was wrong. Otherwise a client could test guesses while the
// account is locked out.
func (s *core) refuseSignIn(ctx context.Context, attempt gate.Attempt, event domain.Event, refusal error) error {
	err := s.gate.Refused(ctx, event, refusal)
	if attempt.Locked() && errors.Is(err, refusal) {
		return attempt.Refusal()
	}
	return err
}

// signInEvent is the event of a sign-in that was not successful. It names the user only if the user exists: an unknown
// username may be a password that was typed into the wrong field.
func (s *core) signInEvent(by domain.Requester, user domain.User) domain.Event {
	return s.gate.Event(domain.ActionSignIn, by, domain.Caller{}).To(string(user.Name))
}

// openSession stores a session and returns its token, after all credentials were right. It needs no lock on the user,
// because the session contains the epoch that was read before the password was checked. If a password change or a
// deactivation has raised the user's epoch since then, the session is not valid. Errors: Unauthenticated with code
// wrong_credentials when another request has used the code.
func (s *core) openSession(ctx context.Context, by domain.Requester, attempt gate.Attempt, user domain.User,
	opened ports.OpenedSignIn) (token string, ends time.Time, err error) {
	session := domain.NewSession(s.ids.New(), user, s.clock.Now(), s.config.SessionTTL)
	credential := domain.Credential{Kind: domain.SessionCredential, ID: session.ID, User: user.ID}
	opened.Session = &session
	err = s.store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		var err error
		// Sign inside the transaction: if the server key was retired meanwhile, the transaction runs again and signs
		// with the new key.
		token, session.SignedBy, err = s.config.Tokens.Mint(ctx, ports.TokenClaims{
			Credential: credential,
			IssuedAt:   session.CreatedAt,
			ExpiresAt:  session.ExpiresAt,
		})
		if err != nil {
			return err
		}
		return s.openSignIn(ctx, repos, by, attempt, user, credential, opened)
	})
	switch {
	case errors.Is(err, ports.ErrCodeUsed):
		return "", time.Time{}, s.refuseSignIn(ctx, attempt, s.signInEvent(by, user), domain.ErrWrongCredentials)
	case err != nil:
		s.gate.Release(ctx, attempt) // the credentials were right, and the database failed
	}
	return token, session.ExpiresAt, err
}

// openSignIn stores a sign-in with its audit event and ends its attempt. The transaction needs two round trips,
// including the commit. The code is marked as used in the same transaction, so that no other sign-in can use it.
func (s *core) openSignIn(ctx context.Context, repos ports.Repos, by domain.Requester, attempt gate.Attempt,
	user domain.User, credential domain.Credential, opened ports.OpenedSignIn) error {
	opened.At, opened.Counters = s.clock.Now(), attempt.Counters()
	state, err := repos.SignIns.Open(ctx, opened)
	if err != nil {
		return err
	}
	caller := domain.Caller{UserID: user.ID, Name: user.Name, Credential: credential}
	event := s.gate.Event(domain.ActionSignIn, by, caller).To(string(user.Name)).
		Changed(signInChanges(attempt.User(), opened)...)
	if err := repos.Events.Append(ctx, event); err != nil {
		return err
	}
	return s.gate.SucceedLocked(ctx, repos, attempt, state)
}

// signInChanges returns the changes for the audit event of a sign-in: the expiry of the sign-in, and the use of a code.
// The first accepted code of a secret confirms the secret.
func signInChanges(claimed ports.SignIn, opened ports.OpenedSignIn) []domain.Change {
	var changes []domain.Change
	switch {
	case opened.Session != nil:
		changes = append(changes, domain.ExpiryChange(nil, &opened.Session.ExpiresAt))
	case opened.Family != nil:
		changes = append(changes, domain.ExpiryChange(nil, &opened.Family.ExpiresAt))
	}
	if opened.Code.ID.IsZero() {
		return changes
	}
	if !opened.Code.Recovery.IsZero() {
		changes = append(changes, domain.RecoveryCodeUsed())
	}
	confirmed := claimed.Code.Code
	confirmed.ConfirmedAt = opened.At
	return append(changes,
		domain.TOTPState{InForce: &confirmed}.ChangeFrom(domain.TOTPState{InForce: &claimed.Code.Code}))
}
