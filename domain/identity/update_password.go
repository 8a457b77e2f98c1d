package identity

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// hashNewPassword hashes the new password of a request. It returns the hash and the stored password to replace. Without
// a new password it hashes nothing. Users who have a password must send the current one to change it.
func (s *core) hashNewPassword(ctx context.Context, by domain.Requester, caller domain.Caller, target domain.User,
	in UpdateUser) (was ports.SealedPassword, phc []byte, err error) {
	if in.Password == nil {
		return ports.SealedPassword{}, nil, nil
	}
	password, err := domain.ParseNewPassword(*in.Password, s.config.MinPasswordLength)
	if err != nil {
		return ports.SealedPassword{}, nil, err
	}
	defer password.Clear()
	found, err := s.store.Read().Users.ForSignIn(ctx, target.Name)
	if err != nil {
		return ports.SealedPassword{}, nil, err
	}
	// The current password is not required from an admin who sets another user's password, or for an account without a
	// password.
	was = found.Password
	if caller.Is(target.ID) && len(was.Sealed) > 0 {
		if err := s.checkCurrentPassword(ctx, by, caller, was, in.CurrentPassword); err != nil {
			return ports.SealedPassword{}, nil, err
		}
	}
	phc, err = s.config.Passwords.Hash(ctx, password)
	return was, phc, err
}

// checkCurrentPassword counts wrong passwords as failed sign-ins, so that the holder of a stolen token cannot use it to
// guess the password.
func (s *core) checkCurrentPassword(ctx context.Context, by domain.Requester, caller domain.Caller,
	stored ports.SealedPassword, given string) error {
	if given == "" {
		return domain.InvalidField("currentPassword", "current_password_required",
			"currentPassword is missing: send the current password to set a new one")
	}
	current, err := domain.ParseGivenPassword(given)
	if err != nil {
		return err
	}
	defer current.Clear()
	attempt, err := s.gate.ReserveAccount(ctx, by, domain.ActionSetPassword, string(caller.Name))
	if err != nil {
		return err
	}
	event := s.gate.Event(domain.ActionSetPassword, by, caller).To(string(caller.Name))
	check, err := s.checkPassword(ctx, current, stored, event)
	if err != nil || check.Match {
		// The password was right, so the attempt is released. The account's counter is not reset, because this is not a
		// sign-in.
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
