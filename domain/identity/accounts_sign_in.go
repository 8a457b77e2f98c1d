package identity

import (
	"context"
	"errors"
	"time"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/gate"
	"github.com/lockbox-go/lockbox/ports"
)

// AccountsSignIn is the request to sign in with a TOTP code. Users who have a password must also send the password.
type AccountsSignIn struct {
	// Username may be in any letter case.
	Username string
	// Code is a TOTP code. Recovery codes are not accepted here.
	Code string
	// Password is ignored for users without a password.
	Password string
}

// SignIn opens a token family and returns its first pair. It returns an error of kind Invalid with code code_invalid,
// always after the same work, in these cases:
//
//   - the user is unknown or inactive
//   - the user has no TOTP secret
//   - the code is wrong
//   - the password is missing or wrong
//
// During a lockout, SignIn returns an error of kind RateLimited. There is one exception: if attempts from unknown
// addresses caused the lockout, a user who sends the right password and the right code can still sign in.
func (s Accounts) SignIn(ctx context.Context, by domain.Requester, in AccountsSignIn) (TokenPair, error) {
	if in.Username == "" || in.Code == "" {
		return TokenPair{}, domain.Refuse(domain.Invalid, "sign_in_incomplete",
			"the fields username and code are both required")
	}
	begin := s.clock.Now()
	// Reserve the attempt before the lookup, so that an unknown username is counted and locked out like a known one.
	attempt, err := s.gate.ReserveSignIn(ctx, by, in.Username, in.Password != "")
	if err != nil {
		return TokenPair{}, err
	}
	claimed := attempt.User()
	event := s.signInEvent(by, claimed.User)
	use, err := s.readTOTPOnly(ctx, claimed.Code, in.Code, event)
	if err != nil {
		return TokenPair{}, err
	}
	rightPassword, err := s.checkSecondPassword(ctx, claimed, in.Password, event)
	if err != nil {
		s.gate.Release(ctx, attempt) // the password was not compared
		return TokenPair{}, err
	}
	// The refusal does not depend on which credential was wrong. The attempt stays counted.
	twoFactors := len(claimed.Password.Sealed) > 0 && claimed.Code.Code.Confirmed()
	if !rightPassword || use.wrong() || !claimed.User.Active || attempt.Locked() && !twoFactors {
		defer s.waitUntil(ctx, begin.Add(minRefusalTime))
		return TokenPair{}, s.refuseSignIn(ctx, attempt, event, domain.ErrCodeInvalid)
	}
	pair, err := s.openFamily(ctx, by, attempt, claimed.User, use)
	switch {
	case errors.Is(err, ports.ErrCodeUsed) || errors.Is(err, domain.ErrWrongCredentials):
		// Another request used the code first, or deleted the user.
		return TokenPair{}, s.refuseSignIn(ctx, attempt, event, domain.ErrCodeInvalid)
	case err != nil:
		s.gate.Release(ctx, attempt) // the credentials were right, and the database failed
	}
	return pair, err
}

// minRefusalTime is the shortest time that a refused sign-in takes. For a request without a password, the server
// computes no slow hash. Without a minimum, a client could then measure how many microseconds the server needs to find
// a user or to decrypt a secret.
const minRefusalTime = 5 * time.Millisecond

// waitUntil returns at the given time, or earlier if ctx is done.
func (s *core) waitUntil(ctx context.Context, at time.Time) {
	timer := time.NewTimer(at.Sub(s.clock.Now()))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// checkSecondPassword reports whether a sign-in has the right password. The result is true for a user who has no
// password.
//
// If the request contains a password, checkSecondPassword hashes this password, even if the user has no password. If
// the request contains no password, it hashes nothing. Its duration therefore depends only on the request.
func (s *core) checkSecondPassword(ctx context.Context, claimed ports.SignIn, given string,
	event domain.Event) (right bool, err error) {
	required := len(claimed.Password.Sealed) > 0
	if given == "" {
		return !required, nil
	}
	password, err := domain.ParseGivenPassword(given)
	if err != nil {
		return false, err
	}
	defer password.Clear()
	check, err := s.checkPassword(ctx, password, claimed.Password, event)
	return !required || check.Match, err
}

// openFamily marks the code as used and stores a token family with its first pair. It needs no lock on the user;
// openSession explains why. It returns ports.ErrCodeUsed if another request has used the code, and ErrWrongCredentials
// if the user was deleted in the meantime.
func (s *core) openFamily(ctx context.Context, by domain.Requester, attempt gate.Attempt, user domain.User,
	use totpUse) (TokenPair, error) {
	var tokens TokenPair
	err := s.store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		family := domain.NewTokenFamily(s.ids.New(), user, s.clock.Now(), s.config.RefreshTTL)
		_, family.Keys = s.config.TokenDigests.Tokens()
		opened := ports.OpenedSignIn{Code: use.stored(), Family: &family}
		var err error
		if tokens, opened.Pair, err = s.newTokenPair(family, user); err != nil {
			return err
		}
		return s.openSignIn(ctx, repos, by, attempt, user, domain.Credential{ID: opened.Pair.ID}, opened)
	})
	return tokens, err
}
