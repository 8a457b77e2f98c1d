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

// Authenticate opens a session and returns its token and the time when it expires. It returns an error of kind
// Unauthenticated with code wrong_credentials if the user is unknown or inactive, or if the password or the code is
// wrong. It hashes the password in each of these cases. If the password is right but a required code is missing, the
// error has the code totp_required.
//
// During a lockout, Authenticate returns an error of kind RateLimited. There is one exception: if attempts from unknown
// addresses caused the lockout, a user who sends the right password and the right TOTP code can still sign in.
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
	// Reserve the attempt before the lookup, so that an unknown username is counted and locked out like a known one.
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
		// Compare the code even if the password is wrong, so that the duration does not reveal whether the password is
		// right. A recovery code is refused during a lockout, because only the database can compare recovery codes.
		if use, err = s.readTOTPOnly(ctx, claimed.Code, in.Code, event); err != nil {
			return "", time.Time{}, err
		}
	}
	// The attempt stays counted, even if an inactive user sent the right password. Otherwise such attempts would cause
	// no lockout, and this would reveal that the password is right.
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

// refuseSignIn audits the refusal of a sign-in with wrong credentials, and returns this refusal. If the attempt took
// place during a lockout, it returns [gate.Attempt.Refusal] instead, so that the client cannot find out which
// credential was wrong.
func (s *core) refuseSignIn(ctx context.Context, attempt gate.Attempt, event domain.Event, refusal error) error {
	err := s.gate.Refused(ctx, event, refusal)
	if attempt.Locked() && errors.Is(err, refusal) {
		return attempt.Refusal()
	}
	return err
}

// signInEvent returns the audit event of a refused sign-in. The event names the user only if the user exists, because
// an unknown username may be a password that was typed into the wrong field.
func (s *core) signInEvent(by domain.Requester, user domain.User) domain.Event {
	return s.gate.Event(domain.ActionSignIn, by, domain.Caller{}).To(string(user.Name))
}

// openSession stores a session and returns its token. The caller has compared all credentials, and they were right.
// openSession needs no lock on the user, because the session contains the epoch that was read before the password was
// checked. If a password change or a deactivation has raised the user's epoch since then, the session is not valid. If
// another request has used the code, openSession returns an error of kind Unauthenticated with code wrong_credentials.
func (s *core) openSession(ctx context.Context, by domain.Requester, attempt gate.Attempt, user domain.User,
	opened ports.OpenedSignIn) (token string, ends time.Time, err error) {
	session := domain.NewSession(s.ids.New(), user, s.clock.Now(), s.config.SessionTTL)
	credential := domain.Credential{Kind: domain.SessionCredential, ID: session.ID, User: user.ID}
	opened.Session = &session
	err = s.store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		var err error
		// Sign inside the transaction. If the server key is retired in the meantime, the transaction runs again and
		// signs with the new key.
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
// including the commit. This transaction also marks the code as used, so that no other sign-in can use the code.
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

// signInChanges returns the changes that the audit event of a sign-in lists: the expiry of the session or token family,
// the use of a recovery code, and the confirmation of a TOTP secret by its first code.
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
