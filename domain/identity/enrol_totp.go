package identity

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// EnrolledTOTP contains a new TOTP secret, which is not confirmed yet, and its recovery codes. Both are shown only in
// this result.
type EnrolledTOTP struct {
	Enrolment ports.Enrolment
	Recovery  []domain.RecoveryCode
}

// EnrolTOTP is the request for a new TOTP secret.
type EnrolTOTP struct {
	Username string
	// Code is a TOTP code or a recovery code. It is required from a caller who has a confirmed secret.
	Code string
	// CurrentPassword is required from a caller who has a password.
	CurrentPassword string
}

// EnrolTOTP creates a TOTP secret for the caller. The secret takes effect when ConfirmTOTP accepts its first code.
// Until then, an earlier confirmed secret stays in force.
//
// Errors:
//
//   - Invalid with code code_required
//   - Forbidden with code totp_password_required, current_password_wrong or code_wrong
//   - RateLimited during a lockout
func (s *Service) EnrolTOTP(ctx context.Context, by domain.Requester, in EnrolTOTP) (EnrolledTOTP, error) {
	caller, err := s.ownCaller(ctx, by, in.Username)
	if err != nil {
		return EnrolledTOTP{}, err
	}
	secret, err := s.config.TOTP.NewSecret()
	if err != nil {
		return EnrolledTOTP{}, err
	}
	defer secret.Clear()
	enrolled := EnrolledTOTP{Recovery: domain.NewRecoveryCodes()}
	hashes := make([]domain.Digest, len(enrolled.Recovery))
	for i, recovery := range enrolled.Recovery {
		hashes[i] = recovery.Hash()
	}
	var user domain.User
	change := ownTOTPChange{
		action:          domain.ActionEnrolTOTP,
		by:              by,
		caller:          caller,
		code:            in.Code,
		withPassword:    true,
		currentPassword: in.CurrentPassword,
	}
	change.apply = func(ctx context.Context, repos ports.Repos, locked domain.User) error {
		user = locked
		_, err := s.putTOTP(ctx, repos, s.pendingTOTP(user.ID), secret, hashes...)
		return err
	}
	if err := s.changeOwnTOTP(ctx, change); err != nil {
		return EnrolledTOTP{}, err
	}
	enrolled.Enrolment, err = s.config.TOTP.Enrolment(secret, user.Spelling)
	return enrolled, err
}

// pendingTOTP returns the metadata of a new TOTP secret that the user has not confirmed yet.
func (s *core) pendingTOTP(user domain.UserID) domain.TOTPSecret {
	return domain.TOTPSecret{
		ID:        s.ids.New(),
		User:      user,
		Pending:   true,
		Own:       true,
		CreatedAt: s.clock.Now(),
	}
}
