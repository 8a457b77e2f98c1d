package identity

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// RemoveTOTP deletes a user's TOTP secrets and recovery codes. Users who remove their own confirmed secret must send a
// code. Admins who remove the secrets of another user need no code, so that they can help users who have lost their
// phones. If the user is the owner of the system, no other user can remove the secrets.
//
// Errors:
//
//   - NotFound with code totp_not_found
//   - Forbidden with code code_wrong or owner_protected
//   - RateLimited during a lockout
func (s *Service) RemoveTOTP(ctx context.Context, by domain.Requester, username, code string) error {
	caller, err := s.gate.Caller(ctx, s.store.Read(), by)
	if err != nil {
		return err
	}
	target, err := s.account(ctx, s.store.Read(), caller, username)
	if err != nil {
		return err
	}
	if !caller.Is(target.ID) {
		// The caller is an admin here, because s.account lets only admins name another user.
		return s.removeTOTPOf(ctx, by, target.Name)
	}
	return s.changeOwnTOTP(ctx, ownTOTPChange{
		action: domain.ActionRemoveTOTP,
		by:     by,
		caller: caller,
		code:   code,
		apply:  deleteTOTP,
	})
}

// removeTOTPOf removes the TOTP secrets of a user who is not the caller. The caller must be an admin.
func (s *core) removeTOTPOf(ctx context.Context, by domain.Requester, target domain.UserName) error {
	return s.store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		// Lock the row that names the owner. Without this lock, the check of user.Owner could miss a concurrent
		// handover.
		if _, err := repos.System.Lock(ctx); err != nil {
			return err
		}
		user, err := repos.Users.Lock(ctx, target)
		if err != nil {
			return err
		}
		caller, err := s.gate.Admin(ctx, repos, by)
		if err != nil {
			return err
		}
		if user.Owner {
			return domain.ErrOwnerProtected
		}
		changes, err := watchTOTP(ctx, repos, user.ID, totpUse{}, func() error { return deleteTOTP(ctx, repos, user) })
		if err != nil {
			return err
		}
		event := s.gate.Event(domain.ActionRemoveTOTP, by, caller).To(string(user.Name))
		return repos.Events.Append(ctx, event.Changed(changes...))
	})
}

// deleteTOTP deletes all TOTP secrets of a user. It returns an error of kind NotFound if there are none.
func deleteTOTP(ctx context.Context, repos ports.Repos, user domain.User) error {
	had, err := repos.TOTPSecrets.Delete(ctx, user.ID)
	if err == nil && !had {
		return domain.ErrNoCode
	}
	return err
}
