package identity

import (
	"context"
	"errors"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// ConfirmTOTP puts an enrolled secret in force with a first code from it; the user itself does so. From then on signing
// in with a password wants a code too, and the codes of a secret before it are no longer taken.
func (s *Service) ConfirmTOTP(ctx context.Context, by domain.Requester, username, code string) error {
	caller, err := s.itself(ctx, by, username)
	if err != nil {
		return err
	}
	if code == "" {
		return domain.InvalidField("code", "code_required", "code is missing: give the first code that the app shows")
	}
	stored, err := s.unconfirmed(ctx, s.Store.Read(), caller.UserID)
	if err != nil {
		return err
	}
	try, err := s.reserveAccount(ctx, by, domain.ActionConfirmTOTP, string(caller.Name))
	if err != nil {
		return err
	}
	use, err := s.readCode(ctx, stored, code, false,
		s.event(domain.ActionConfirmTOTP, by, caller).To(string(caller.Name)))
	if err != nil {
		return err
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
		if now, err := s.unconfirmed(ctx, repos, user.ID); err != nil {
			return err
		} else if now.Code.ID != stored.Code.ID {
			return errCodeSpent // enrolled anew in between
		}
		if err := s.spend(ctx, repos, use); err != nil {
			return err
		}
		if err := repos.TOTPSecrets.Promote(ctx, user.ID); err != nil {
			return err
		}
		if err := repos.Events.Append(ctx,
			s.event(domain.ActionConfirmTOTP, by, caller).To(string(user.Name))); err != nil {
			return err
		}
		return s.giveBack(ctx, repos, try, false)
	})
	if err != nil && !errors.Is(err, errCodeSpent) {
		s.release(ctx, try)
	}
	return s.refuseCode(ctx, by, domain.ActionConfirmTOTP, caller, err)
}

// unconfirmed returns the code that waits for its first one: what the user enrolled, or else what the owner set up.
func (s *core) unconfirmed(ctx context.Context, repos ports.Repos, user domain.UserID) (ports.SealedTOTPSecret, error) {
	stored, err := repos.TOTPSecrets.Get(ctx, user, true)
	if !errors.Is(err, domain.NotFound) {
		return stored, err
	}
	stored, err = repos.TOTPSecrets.Get(ctx, user, false)
	if err == nil && stored.Code.Confirmed() {
		return ports.SealedTOTPSecret{}, domain.ErrNoCode
	}
	return stored, err
}
