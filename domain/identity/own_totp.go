package identity

import (
	"bytes"
	"context"
	"errors"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/gate"
	"github.com/lockbox-go/lockbox/ports"
)

// ownTOTPChange is a change of the caller's own TOTP secret.
type ownTOTPChange struct {
	action domain.Action
	by     domain.Requester
	caller domain.Caller
	// code is a TOTP code or a recovery code. The code is required if the caller has a confirmed secret.
	code string
	// withPassword reports whether a caller who has a password must send it in currentPassword.
	withPassword    bool
	currentPassword string
	// apply makes the change in a transaction that holds the lock on the user.
	apply func(ctx context.Context, repos ports.Repos, user domain.User) error
}

// totpProof is the result of the check of the code that authorises a change. The transaction that makes the change
// marks the code as used. The zero totpProof means that the change requires no code.
type totpProof struct {
	required bool
	// attempt was reserved before the code was compared. It stays counted only if the code is wrong.
	attempt gate.Attempt
	use     totpUse
}

// changeOwnTOTP makes the change. If the caller has a confirmed secret, the change requires a code and marks it as
// used. Wrong codes and wrong passwords count as failed sign-ins, because the holder of a stolen token could otherwise
// guess them.
//
// Errors:
//
//   - Forbidden with code code_wrong, current_password_wrong or totp_password_required
//   - RateLimited during a lockout
//   - the errors of ownTOTPChange.apply
func (s *core) changeOwnTOTP(ctx context.Context, in ownTOTPChange) error {
	stored, err := s.confirmedTOTP(ctx, in)
	if err != nil {
		return err
	}
	password, err := s.proveOwnPassword(ctx, in)
	if err != nil {
		return err
	}
	proof, err := s.proveTOTP(ctx, in, stored)
	if err != nil {
		return err
	}
	in.apply = samePassword(in, password)
	// Mark the code as used in the transaction of the change. The code then stays valid if the change fails.
	apply := in.apply
	in.apply = func(ctx context.Context, repos ports.Repos, user domain.User) error {
		if err := s.spendProof(ctx, repos, user, proof); err != nil {
			return err
		}
		return apply(ctx, repos, user)
	}
	return s.applyOwnTOTP(ctx, in, proof)
}

// confirmedTOTP returns the caller's confirmed secret, or zero if there is none. It returns an error if there is a
// confirmed secret but the request contains no code. Call it before the password is compared.
func (s *core) confirmedTOTP(ctx context.Context, in ownTOTPChange) (ports.SealedTOTPSecret, error) {
	stored, err := s.store.Read().TOTPSecrets.Get(ctx, in.caller.UserID, false)
	if err != nil && !errors.Is(err, domain.NotFound) {
		return ports.SealedTOTPSecret{}, err
	}
	if !stored.Code.Confirmed() {
		return ports.SealedTOTPSecret{}, nil
	}
	if in.code == "" {
		return ports.SealedTOTPSecret{}, domain.InvalidField("code", "code_required",
			"the field code is missing: send a TOTP code or a recovery code")
	}
	return stored, nil
}

// proveOwnPassword compares in.currentPassword with the caller's stored password, and returns the stored password. It
// compares nothing if the caller has no password. If the change requires no password, the result is zero.
func (s *core) proveOwnPassword(ctx context.Context, in ownTOTPChange) (ports.SealedPassword, error) {
	if !in.withPassword {
		return ports.SealedPassword{}, nil
	}
	found, err := s.store.Read().Users.ForSignIn(ctx, in.caller.Name)
	if err != nil || len(found.Password.Sealed) == 0 {
		return found.Password, err
	}
	if in.currentPassword == "" {
		return ports.SealedPassword{}, domain.ErrPasswordForTOTP
	}
	return found.Password, s.checkCurrentPassword(ctx, in.by, in.caller, in.action, found.Password, in.currentPassword)
}

// samePassword returns a function for a transaction that holds the lock on the user. If the stored password is still
// the one that was compared, the function calls in.apply. Otherwise, it returns ErrPasswordChanged. If the change
// requires no password, samePassword returns in.apply itself.
func samePassword(in ownTOTPChange, compared ports.SealedPassword) func(ctx context.Context, repos ports.Repos,
	user domain.User) error {
	if !in.withPassword {
		return in.apply
	}
	return func(ctx context.Context, repos ports.Repos, user domain.User) error {
		present, err := repos.Users.ForSignIn(ctx, user.Name)
		if err != nil {
			return err
		}
		if !bytes.Equal(present.Password.Sealed, compared.Sealed) {
			return domain.ErrPasswordChanged
		}
		return in.apply(ctx, repos, user)
	}
}

// proveTOTP reserves an attempt and compares the code with the caller's confirmed secret, which is the argument stored.
// If stored is zero, proveTOTP does nothing.
func (s *core) proveTOTP(ctx context.Context, in ownTOTPChange, stored ports.SealedTOTPSecret) (totpProof, error) {
	if stored.Sealed == nil {
		return totpProof{}, nil
	}
	attempt, err := s.gate.ReserveAccount(ctx, in.by, in.action, string(in.caller.Name))
	if err != nil {
		return totpProof{}, err
	}
	use, err := s.readTOTP(ctx, stored, in.code, s.ownTOTPEvent(in, in.caller))
	return totpProof{required: true, attempt: attempt, use: use}, err
}

// spendProof marks the code as used. The caller must hold the lock on the user.
//
// If the change requires no code, spendProof verifies that the user still has no confirmed secret. It returns
// errWrongTOTP if another request has confirmed one in the meantime.
func (s *core) spendProof(ctx context.Context, repos ports.Repos, user domain.User, proof totpProof) error {
	if proof.required {
		return s.spendTOTP(ctx, repos, proof.use)
	}
	stored, err := repos.TOTPSecrets.Get(ctx, user.ID, false)
	switch {
	case errors.Is(err, domain.NotFound):
		return nil
	case err == nil && stored.Code.Confirmed():
		return errWrongTOTP
	}
	return err
}

// applyOwnTOTP runs one transaction. It locks the user, authenticates the caller a second time, calls in.apply, appends
// the audit event and releases the attempt. If the code is wrong or was used before, applyOwnTOTP audits the refusal
// and returns ErrWrongCode.
func (s *core) applyOwnTOTP(ctx context.Context, in ownTOTPChange, proof totpProof) error {
	err := s.store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		user, err := repos.Users.Lock(ctx, in.caller.Name)
		if err != nil {
			return err
		}
		caller, err := s.gate.Caller(ctx, repos, in.by)
		if err != nil {
			return err
		}
		changes, err := watchTOTP(ctx, repos, user.ID, proof.use, func() error { return in.apply(ctx, repos, user) })
		if err != nil {
			return err
		}
		event := s.ownTOTPEvent(in, caller).Changed(changes...)
		if err := repos.Events.Append(ctx, event); err != nil || !proof.required {
			return err
		}
		return s.gate.ReleaseIn(ctx, repos, proof.attempt)
	})
	if errors.Is(err, errWrongTOTP) {
		return s.gate.Refused(ctx, s.ownTOTPEvent(in, in.caller), domain.ErrWrongCode)
	}
	if err != nil && proof.required {
		s.gate.Release(ctx, proof.attempt) // the code was right, and the change failed
	}
	return err
}

// ownTOTPEvent returns the audit event of the caller's change.
func (s *core) ownTOTPEvent(in ownTOTPChange, caller domain.Caller) domain.Event {
	return s.gate.Event(in.action, in.by, caller).To(string(in.caller.Name))
}

// ownCaller returns the caller if username is the caller's own name. Otherwise it returns an error that does not reveal
// whether a user with that name exists.
func (s *core) ownCaller(ctx context.Context, by domain.Requester, username string) (domain.Caller, error) {
	caller, err := s.gate.Caller(ctx, s.store.Read(), by)
	if err != nil {
		return domain.Caller{}, err
	}
	if name, err := domain.ParseUserName(username); err != nil || caller.Name != name {
		return domain.Caller{}, domain.ErrItselfOnly
	}
	return caller, nil
}
