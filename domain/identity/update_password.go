package identity

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// newPassword is a new password of a user. It is hashed but not stored yet.
type newPassword struct {
	// The field named "was" is the stored password, which the new password replaces. The field phc is the hash of the
	// new password. It is nil if the request contains no new password.
	was ports.SealedPassword
	phc []byte
	// proof is the code that authorises a user's first password. It is zero if no code is required.
	proof totpProof
}

// hashNewPassword checks whether the request may set the new password, and hashes the password. Users who change their
// own password must send the current password. Users without a password must send a TOTP code or a recovery code
// instead. An admin who sets another user's password needs neither.
func (s *core) hashNewPassword(ctx context.Context, by domain.Requester, caller domain.Caller, target domain.User,
	in UpdateUser) (newPassword, error) {
	if in.Password == nil {
		return newPassword{}, nil
	}
	password, err := domain.ParseNewPassword(*in.Password, s.config.MinPasswordLength)
	if err != nil {
		return newPassword{}, err
	}
	defer password.Clear()
	found, err := s.store.Read().Users.ForSignIn(ctx, target.Name)
	if err != nil {
		return newPassword{}, err
	}
	next := newPassword{was: found.Password}
	switch {
	case !caller.Is(target.ID):
	case len(next.was.Sealed) > 0:
		err = s.checkCurrentPassword(ctx, by, caller, domain.ActionSetPassword, next.was, in.CurrentPassword)
	default:
		next.proof, err = s.proveFirstPassword(ctx, by, caller, found.Code, in.Code)
	}
	if err != nil {
		return newPassword{}, err
	}
	if next.phc, err = s.config.Passwords.Hash(ctx, password); err != nil && next.proof.required {
		s.gate.Release(ctx, next.proof.attempt) // the code was right
	}
	return next, err
}

// proveFirstPassword checks the code that users must send to set their first password. If no code were required, the
// holder of a stolen token could set the password and take over the account. Wrong codes count as failed sign-ins.
//
// Errors: Forbidden with code password_code_required or code_wrong; RateLimited during a lockout.
func (s *core) proveFirstPassword(ctx context.Context, by domain.Requester, caller domain.Caller,
	stored ports.SealedTOTPSecret, code string) (totpProof, error) {
	if code == "" {
		return totpProof{}, domain.ErrCodeForPassword
	}
	attempt, err := s.gate.ReserveAccount(ctx, by, domain.ActionSetPassword, string(caller.Name))
	if err != nil {
		return totpProof{}, err
	}
	event := s.gate.Event(domain.ActionSetPassword, by, caller).To(string(caller.Name))
	use, err := s.readTOTP(ctx, stored, code, event)
	if err == nil && use.wrong() {
		err = s.gate.Refused(ctx, event, domain.ErrWrongCode)
	}
	return totpProof{required: true, attempt: attempt, use: use}, err
}

// storeNewPassword stores the password. If a code authorized the password, storeNewPassword also marks this code as
// used. It returns the changes for the audit event.
func (s *core) storeNewPassword(ctx context.Context, repos ports.Repos, next newPassword) ([]domain.Change, error) {
	if next.phc == nil {
		return nil, nil
	}
	changes := []domain.Change{domain.PasswordChange(len(next.was.Sealed) > 0)}
	if next.proof.required {
		spent, err := watchTOTP(ctx, repos, next.was.User, next.proof.use, func() error {
			return s.spendTOTP(ctx, repos, next.proof.use)
		})
		if err != nil {
			return nil, err
		}
		changes = append(changes, spent...)
	}
	return changes, s.savePassword(ctx, repos, next.was, next.phc)
}

// checkCurrentPassword compares a password with the caller's stored password. A wrong password counts as a failed
// sign-in, because the holder of a stolen token could otherwise guess the password.
func (s *core) checkCurrentPassword(ctx context.Context, by domain.Requester, caller domain.Caller,
	action domain.Action, stored ports.SealedPassword, given string) error {
	if given == "" {
		return domain.InvalidField("currentPassword", "current_password_required",
			"the field currentPassword is missing: to set a new password, also send the current one")
	}
	current, err := domain.ParseGivenPassword(given)
	if err != nil {
		return err
	}
	defer current.Clear()
	attempt, err := s.gate.ReserveAccount(ctx, by, action, string(caller.Name))
	if err != nil {
		return err
	}
	event := s.gate.Event(action, by, caller).To(string(caller.Name))
	check, err := s.checkPassword(ctx, current, stored, event)
	if err != nil || check.Match {
		// The password was right or was not compared, so release the attempt. Do not reset the account's counter,
		// because this is not a sign-in.
		s.gate.Release(ctx, attempt)
		return err
	}
	return s.gate.Refused(ctx, event, &domain.Error{
		Kind:    domain.Forbidden,
		Code:    "current_password_wrong",
		Field:   "currentPassword",
		Message: "currentPassword is not the current password",
	})
}
