package identity

import (
	"context"
	"errors"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// errWrongTOTP means that a code is wrong or was used before. It never leaves this package: each use case returns
// another error instead.
var errWrongTOTP = errors.New("the TOTP code or recovery code is wrong or was used before")

// totpUse identifies the code of a request. The transaction that the code authorises uses the totpUse to mark the code
// as used. If the code is wrong, totpUse is zero.
type totpUse struct {
	id domain.TOTPID
	// step is the time step of a TOTP code.
	step int64
	// recovery is the digest of a recovery code, or zero for a TOTP code.
	recovery domain.Digest
}

// stored converts u to ports.UsedCode. The storage ports need this type to mark a code as used.
func (u totpUse) stored() ports.UsedCode {
	return ports.UsedCode{ID: u.id, Step: u.step, Recovery: u.recovery}
}

// wrong reports whether the code is wrong.
func (u totpUse) wrong() bool { return u.id.IsZero() }

// readTOTP compares a code with the stored TOTP secret. If the code does not match, readTOTP tries to parse it as a
// recovery code.
//
// If the user has no secret, stored must be zero. readTOTP then compares the code with noSecret, so that the comparison
// takes the same time as for a user with a secret. If the ciphertext of the stored secret fails authentication,
// readTOTP writes event to the audit log with outcome "tampered".
func (s *core) readTOTP(ctx context.Context, stored ports.SealedTOTPSecret, code string,
	event domain.Event) (totpUse, error) {
	use, err := s.readTOTPOnly(ctx, stored, code, event)
	if err != nil || !use.wrong() || len(stored.Sealed) == 0 {
		return use, err
	}
	// spendTOTP checks later whether the user has this recovery code.
	if recovery, ok := domain.ParseRecoveryCode(code); ok {
		digests := s.config.TokenDigests.RecoveryCodes(stored.Code.User, stored.Code.ID, recovery.Hash()).Digests
		return totpUse{id: stored.Code.ID, recovery: digests[0]}, nil
	}
	return totpUse{}, nil
}

// readTOTPOnly does the same as readTOTP, but does not accept recovery codes.
func (s *core) readTOTPOnly(ctx context.Context, stored ports.SealedTOTPSecret, code string,
	event domain.Event) (totpUse, error) {
	// noSecret must not be cleared, because it serves all users without a secret.
	secret, known := s.noSecret, len(stored.Sealed) > 0
	if known {
		var err error
		if secret, err = s.openTOTP(ctx, stored); err != nil {
			return totpUse{}, s.gate.Refused(ctx, event, err)
		}
		defer secret.Clear()
	}
	step, matches := s.config.TOTP.Match(secret, code, s.clock.Now())
	if !known || !matches {
		return totpUse{}, nil
	}
	return totpUse{id: stored.Code.ID, step: step}, nil
}

// spendTOTP marks a code as used. It returns errWrongTOTP if the code is wrong or was used before.
func (s *core) spendTOTP(ctx context.Context, repos ports.Repos, use totpUse) error {
	var spent bool
	var err error
	switch {
	case use.wrong():
		// There is no code to mark as used, so spent stays false.
	case use.recovery.IsZero():
		spent, err = repos.TOTPSecrets.Accept(ctx, use.id, use.step, s.clock.Now())
	default:
		spent, err = repos.TOTPSecrets.SpendRecovery(ctx, use.id, use.recovery)
	}
	if err == nil && !spent {
		err = errWrongTOTP
	}
	return err
}

// totpState returns the confirmed and the pending TOTP secret of a user.
func totpState(ctx context.Context, repos ports.Repos, user domain.UserID) (state domain.TOTPState, err error) {
	for pending, secret := range map[bool]**domain.TOTPSecret{false: &state.InForce, true: &state.Pending} {
		stored, err := repos.TOTPSecrets.Get(ctx, user, pending)
		switch {
		case err == nil:
			*secret = &stored.Code
		case !errors.Is(err, domain.NotFound):
			return state, err
		}
	}
	return state, nil
}

// watchTOTP calls the function change and compares the state of the user's TOTP secrets before and after the call. It
// returns the difference for the audit event. The argument "use" is the code that authorized the change, or zero if no
// code was required. If this code is a recovery code, the result also contains a change for the use of the code. The
// caller must hold the lock on the user.
func watchTOTP(ctx context.Context, repos ports.Repos, user domain.UserID, use totpUse,
	change func() error) ([]domain.Change, error) {
	before, err := totpState(ctx, repos, user)
	if err != nil {
		return nil, err
	}
	if err := change(); err != nil {
		return nil, err
	}
	after, err := totpState(ctx, repos, user)
	if err != nil {
		return nil, err
	}
	changes := []domain.Change{after.ChangeFrom(before)}
	if !use.recovery.IsZero() {
		changes = append(changes, domain.RecoveryCodeUsed())
	}
	return changes, nil
}

// putTOTP seals a new secret and stores it together with its recovery codes. The recovery argument contains the hashes
// of these codes. putTOTP stores keyed digests of these hashes.
func (s *core) putTOTP(ctx context.Context, repos ports.Repos, totp domain.TOTPSecret, secret domain.Secret,
	recovery ...domain.Digest) (ports.SealedTOTPSecret, error) {
	key, sealed, err := s.config.Sealer.SealAccount(ctx, ports.TOTPPurpose, totp.User, secret.Bytes())
	if err != nil {
		return ports.SealedTOTPSecret{}, err
	}
	stored := ports.SealedTOTPSecret{Code: totp, ServerKey: key, Sealed: sealed}
	codes := s.config.TokenDigests.RecoveryCodes(totp.User, totp.ID, recovery...)
	return stored, repos.TOTPSecrets.Put(ctx, stored, codes)
}

// putUnconfirmedTOTP stores a secret for a user who has no secret. Use it for secrets that the owner or an operator
// passes on to the user. Such a secret has no recovery codes.
func (s *core) putUnconfirmedTOTP(ctx context.Context, repos ports.Repos, user domain.UserID,
	secret domain.Secret) (ports.SealedTOTPSecret, error) {
	totp := domain.TOTPSecret{ID: s.ids.New(), User: user, CreatedAt: s.clock.Now()}
	return s.putTOTP(ctx, repos, totp, secret)
}

// openTOTP opens a stored secret. The caller clears it. Errors: a tampering error.
func (s *core) openTOTP(ctx context.Context, stored ports.SealedTOTPSecret) (domain.Secret, error) {
	opened, err := s.config.Sealer.OpenAccount(ctx, ports.TOTPPurpose, stored.Code.User, stored.Sealed)
	if err != nil {
		return domain.Secret{}, err
	}
	defer clear(opened)
	return domain.NewSecret(string(opened)), nil
}

// enrolment opens a stored secret and returns it in the form for an authenticator app.
func (s *core) enrolment(ctx context.Context, user domain.User, stored ports.SealedTOTPSecret) (ports.Enrolment,
	error) {
	secret, err := s.openTOTP(ctx, stored)
	if err != nil {
		return ports.Enrolment{}, err
	}
	defer secret.Clear()
	return s.config.TOTP.Enrolment(secret, user.Spelling)
}
