package identity

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// AccountsSignIn signs a user in with a one-time code and, where the user has one, a password.
type AccountsSignIn struct {
	Username string
	Code     string
	Password string
}

// TokenPair is what a client gets to hold.
type TokenPair struct {
	Access, Refresh domain.OpaqueToken
	// ExpiresIn is how long the access token lives, in whole seconds.
	ExpiresIn time.Duration
}

// AccountsSignIn opens a family of tokens and returns its first pair. Invalid with code code_invalid, after the same
// work, whatever it was that was wrong: the user, its state, the code, the password, or that it has no codes.
func (s Accounts) SignIn(ctx context.Context, by domain.Requester, in AccountsSignIn) (TokenPair, error) {
	if in.Username == "" || in.Code == "" {
		return TokenPair{}, domain.Refuse(domain.Invalid, "sign_in_incomplete", "username and code must both be given")
	}
	begin := s.Clock.Now()
	try, err := s.reserveAccount(ctx, by, domain.ActionSignIn, in.Username)
	if err != nil {
		return TokenPair{}, err
	}
	claimed, err := s.claimedUser(ctx, in.Username)
	if err != nil {
		return TokenPair{}, err
	}
	signIn := s.signIn(by, claimed.User)
	use, err := s.readCode(ctx, claimed.Code, in.Code, false, signIn)
	if err != nil {
		return TokenPair{}, err
	}
	rightPassword, err := s.secondPassword(ctx, claimed, in.Password, signIn)
	if err != nil {
		s.release(ctx, try) // whether anything was wrong was not found out
		return TokenPair{}, err
	}
	if !rightPassword || use.id.IsZero() || !claimed.User.Active {
		defer s.levelOff(ctx, begin)
		return TokenPair{}, s.denied(ctx, signIn, domain.ErrCodeInvalid)
	}
	pair, err := s.openFamily(ctx, by, try, claimed.User, use)
	switch {
	case errors.Is(err, errCodeSpent) || errors.Is(err, domain.ErrWrongCredentials):
		return TokenPair{}, s.denied(ctx, signIn, domain.ErrCodeInvalid)
	case err != nil:
		s.release(ctx, try) // all was right, and the database failed
	}
	return pair, err
}

// leastRefusal is how long a refused code takes at least. Without a password there is nothing slow to be done for it, and
// the few microseconds that a user takes to be found, or a secret to be opened, would show.
const leastRefusal = 5 * time.Millisecond

// levelOff waits until so long after begin.
func (s *core) levelOff(ctx context.Context, begin time.Time) {
	timer := time.NewTimer(leastRefusal - s.Clock.Now().Sub(begin))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// secondPassword compares the password of users who have one. One that is given is hashed whoever the user is, and one
// that is not given for nobody: the time depends on what was sent alone.
func (s *core) secondPassword(ctx context.Context, claimed ports.SignIn, given string, signIn domain.Event) (right bool,
	err error) {
	needed := len(claimed.Password.Sealed) > 0
	if given == "" {
		return !needed, nil
	}
	password, err := domain.ParseGivenPassword(given)
	if err != nil {
		return false, err
	}
	defer password.Clear()
	check, err := s.checkPassword(ctx, password, claimed.Password, signIn)
	return !needed || check.Match, err
}

// openFamily needs no lock on the user, as openSession does not.
func (s *core) openFamily(ctx context.Context, by domain.Requester, try attempt, user domain.User,
	use codeUse) (TokenPair, error) {
	var made TokenPair
	err := s.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		if err := s.spend(ctx, repos, use); err != nil {
			return err
		}
		family := domain.NewTokenFamily(s.IDs.New(), user, s.Clock.Now(), s.RefreshTTL)
		if err := repos.TokenFamilies.Add(ctx, family); err != nil {
			return err
		}
		pair, err := s.nextPair(ctx, repos, family, user, &made)
		if err != nil {
			return err
		}
		caller := domain.Caller{UserID: user.ID, Name: user.Name, Credential: domain.Credential{ID: pair.ID}}
		if err := repos.Events.Append(ctx, s.event(domain.ActionSignIn, by, caller).To(string(user.Name))); err != nil {
			return err
		}
		return s.succeed(ctx, repos, try)
	})
	return made, err
}

// nextPair makes a pair of the family and stores what is kept of it.
func (s *core) nextPair(ctx context.Context, repos ports.Repos, family domain.TokenFamily, user domain.User,
	made *TokenPair) (domain.TokenPair, error) {
	_, _ = rand.Read(made.Access[:]) // never fails: crypto/rand ends the program rather
	_, _ = rand.Read(made.Refresh[:])
	pair, err := family.NextPair(domain.TokenPair{ID: s.IDs.New(), Access: made.Access.Digest(),
		Refresh: made.Refresh.Digest()},
		user, s.Clock.Now(), s.AccessTTL)
	if err != nil {
		return domain.TokenPair{}, err
	}
	made.ExpiresIn = pair.Life()
	return pair, repos.TokenFamilies.AddPair(ctx, pair)
}
