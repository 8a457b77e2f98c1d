package identity

import (
	"context"
	"errors"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// EnrolledTOTP is a secret that waits to be confirmed, and the recovery codes that come with it. It is shown this once.
type EnrolledTOTP struct {
	Enrolment ports.Enrolment
	Recovery  []domain.RecoveryCode
}

// EnrolTOTP makes a user a secret for one-time codes; the user itself asks for it, and gives a code where one is in
// force already, which stays so until the new one is confirmed.
func (s *Service) EnrolTOTP(ctx context.Context, by domain.Requester, username, code string) (EnrolledTOTP, error) {
	caller, err := s.itself(ctx, by, username)
	if err != nil {
		return EnrolledTOTP{}, err
	}
	secret, err := s.Codes.NewSecret()
	if err != nil {
		return EnrolledTOTP{}, err
	}
	defer secret.Clear()
	made := EnrolledTOTP{Recovery: domain.NewRecoveryCodes()}
	hashes := make([]domain.Digest, len(made.Recovery))
	for i, recovery := range made.Recovery {
		hashes[i] = recovery.Digest()
	}
	var user domain.User
	err = s.withCode(ctx, by, caller, domain.ActionEnrolTOTP, code,
		func(ctx context.Context, repos ports.Repos, locked domain.User) error {
			user = locked
			code := domain.TOTPSecret{
				ID:        s.IDs.New(),
				User:      user.ID,
				Pending:   true,
				Own:       true,
				CreatedAt: s.Clock.Now(),
			}
			_, err := s.putCode(ctx, repos, code, secret, hashes)
			return err
		})
	if err != nil {
		return EnrolledTOTP{}, err
	}
	made.Enrolment, err = s.Codes.Enrolment(secret, user.Spelling)
	return made, err
}

// itself returns the caller if it is the user of that name. Others learn whether they could ever have been allowed, and
// not whether there is such a user.
func (s *core) itself(ctx context.Context, by domain.Requester, username string) (domain.Caller, error) {
	caller, err := s.authenticated(ctx, s.Store.Read(), by)
	if err != nil {
		return domain.Caller{}, err
	}
	if name, err := domain.ParseUserName(username); err != nil || caller.Name != name {
		return domain.Caller{}, domain.ErrItselfOnly
	}
	return caller, nil
}

// withCode runs fn, which changes the caller's own codes, in a transaction that holds the account. Where a code is
// confirmed, one must be given, and is spent with the change; wrong ones count as failed sign-ins do, so that whoever
// found a token cannot guess the code with it.
func (s *core) withCode(ctx context.Context, by domain.Requester, caller domain.Caller, action domain.Action,
	code string,
	fn func(ctx context.Context, repos ports.Repos, user domain.User) error) error {
	stored, err := s.Store.Read().TOTPSecrets.Get(ctx, caller.UserID, false)
	if err != nil && !errors.Is(err, domain.NotFound) {
		return err
	}
	wanted := stored.Code.Confirmed()
	var try attempt
	var use codeUse
	if wanted {
		if code == "" {
			return domain.InvalidField("code", "code_required",
				"code is missing: give a one-time code, or a recovery code")
		}
		if try, err = s.reserveAccount(ctx, by, action, string(caller.Name)); err != nil {
			return err
		}
		if use, err = s.readCode(ctx, stored, code, true,
			s.event(action, by, caller).To(string(caller.Name))); err != nil {
			return err
		}
	}
	err = s.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		user, err := repos.Users.Lock(ctx, caller.Name)
		if err != nil {
			return err
		}
		caller, err := s.authenticated(ctx, repos, by)
		if err != nil {
			return err
		}
		if err := s.spendIfWanted(ctx, repos, user, wanted, use); err != nil {
			return err
		}
		if err := fn(ctx, repos, user); err != nil {
			return err
		}
		if err := repos.Events.Append(ctx, s.event(action, by, caller).To(string(user.Name))); err != nil || !wanted {
			return err
		}
		return s.giveBack(ctx, repos, try, false)
	})
	if err != nil && wanted && !errors.Is(err, errCodeSpent) {
		s.release(ctx, try)
	}
	return s.refuseCode(ctx, by, action, caller, err)
}

// spendIfWanted spends the code, or refuses where another change has put one in force in between.
func (s *core) spendIfWanted(ctx context.Context, repos ports.Repos, user domain.User, wanted bool, use codeUse) error {
	if wanted {
		return s.spend(ctx, repos, use)
	}
	now, err := repos.TOTPSecrets.Get(ctx, user.ID, false)
	switch {
	case errors.Is(err, domain.NotFound):
		return nil
	case err == nil && now.Code.Confirmed():
		return errCodeSpent
	}
	return err
}

// refuseCode puts a wrong code on record and turns it into the refusal that its sender is told.
func (s *core) refuseCode(ctx context.Context, by domain.Requester, action domain.Action, caller domain.Caller,
	err error) error {
	if !errors.Is(err, errCodeSpent) {
		return err
	}
	return s.denied(ctx, s.event(action, by, caller).To(string(caller.Name)), domain.ErrWrongCode)
}
