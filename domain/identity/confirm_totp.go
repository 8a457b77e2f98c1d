package identity

import (
	"context"
	"errors"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// ConfirmTOTP is the request to confirm a TOTP secret.
type ConfirmTOTP struct {
	Username string
	// Code is the first code of the secret.
	Code string
	// CurrentPassword is required if the caller has a password.
	CurrentPassword string
}

// ConfirmTOTP confirms the TOTP secret that the caller has enrolled. The request contains the first code of the secret.
// From then on, signing in with a password requires a code, and the codes of an earlier secret are no longer accepted.
//
// Errors:
//
//   - NotFound if the caller has no unconfirmed secret
//   - Forbidden with code totp_password_required, current_password_wrong or code_wrong
//   - RateLimited during a lockout
func (s *Service) ConfirmTOTP(ctx context.Context, by domain.Requester, in ConfirmTOTP) error {
	caller, err := s.ownCaller(ctx, by, in.Username)
	if err != nil {
		return err
	}
	if in.Code == "" {
		return domain.InvalidField("code", "code_required",
			"the field code is missing: send the first code that the authenticator app shows")
	}
	stored, err := s.unconfirmedTOTP(ctx, s.store.Read(), caller.UserID)
	if err != nil {
		return err
	}
	change := ownTOTPChange{
		action:          domain.ActionConfirmTOTP,
		by:              by,
		caller:          caller,
		withPassword:    true,
		currentPassword: in.CurrentPassword,
	}
	password, err := s.proveOwnPassword(ctx, change)
	if err != nil {
		return err
	}
	attempt, err := s.gate.ReserveAccount(ctx, by, change.action, string(caller.Name))
	if err != nil {
		return err
	}
	use, err := s.readTOTPOnly(ctx, stored, in.Code, s.ownTOTPEvent(change, caller))
	if err != nil {
		return err
	}
	change.apply = func(ctx context.Context, repos ports.Repos, user domain.User) error {
		return s.confirm(ctx, repos, user, stored, use)
	}
	change.apply = samePassword(change, password)
	return s.applyOwnTOTP(ctx, change, totpProof{required: true, attempt: attempt, use: use})
}

// confirm marks the code as used and confirms the secret. The caller must hold the lock on the user. If another secret
// was enrolled after the code was compared, confirm returns errWrongTOTP.
func (s *core) confirm(ctx context.Context, repos ports.Repos, user domain.User, compared ports.SealedTOTPSecret,
	use totpUse) error {
	stored, err := s.unconfirmedTOTP(ctx, repos, user.ID)
	if err != nil {
		return err
	}
	if stored.Code.ID != compared.Code.ID {
		return errWrongTOTP
	}
	if err := s.spendTOTP(ctx, repos, use); err != nil {
		return err
	}
	return repos.TOTPSecrets.Promote(ctx, user.ID)
}

// unconfirmedTOTP returns the user's unconfirmed secret. A secret that the user enrolled has precedence over one that
// the owner or an operator created. If there is no unconfirmed secret, the error has the kind NotFound.
func (s *core) unconfirmedTOTP(ctx context.Context, repos ports.Repos, user domain.UserID) (ports.SealedTOTPSecret,
	error) {
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
