package identity

import (
	"context"
	"errors"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// errCodeSpent says that a code is wrong or was used before. It never leaves the package: what the answer is depends on
// what the code was for.
var errCodeSpent = errors.New("the code is wrong or spent")

// codeUse is a code that was found right; the transaction that it lets in spends it.
type codeUse struct {
	id domain.TOTPID
	// step is of a time-based code; a recovery code has a digest. A wrong code has neither, and cannot be spent.
	step     int64
	recovery domain.Digest
}

// readCode finds out what a code is; recovery codes count where they are let. It does the same work for a user without
// codes. Errors: tampering, which goes on record as attempt.
func (s *core) readCode(ctx context.Context, stored ports.SealedTOTPSecret, code string, recovery bool,
	attempt domain.Event) (codeUse, error) {
	secret := s.decoy
	known := len(stored.Sealed) > 0
	if known {
		opened, err := s.Sealer.OpenAccount(ctx, ports.TOTPPurpose, stored.Code.User, stored.Sealed)
		if ports.IsTampered(err) {
			err = errors.Join(err, s.Events.Write(ctx, attempt.Ended(domain.OutcomeTampered)))
		}
		if err != nil {
			return codeUse{}, err
		}
		secret = domain.NewSecret(string(opened))
		clear(opened)
		defer secret.Clear()
	}
	step, matches := s.Codes.Match(secret, code, s.Clock.Now())
	switch {
	case !known:
		return codeUse{}, nil
	case matches:
		return codeUse{id: stored.Code.ID, step: step}, nil
	}
	if given, ok := domain.ParseRecoveryCode(code); ok && recovery {
		return codeUse{id: stored.Code.ID, recovery: given.Digest()}, nil
	}
	return codeUse{}, nil
}

// spend uses a code up, or returns errCodeSpent when it is none or somebody else was first.
func (s *core) spend(ctx context.Context, repos ports.Repos, use codeUse) error {
	var spent bool
	var err error
	switch {
	case use.id.IsZero():
	case use.recovery.IsZero():
		spent, err = repos.TOTPSecrets.Accept(ctx, use.id, use.step, s.Clock.Now())
	default:
		spent, err = repos.TOTPSecrets.SpendRecovery(ctx, use.id, use.recovery)
	}
	if err == nil && !spent {
		err = errCodeSpent
	}
	return err
}

// sealCode makes a secret ready to be stored.
func (s *core) sealCode(ctx context.Context, code domain.TOTPSecret, secret domain.Secret) (ports.SealedTOTPSecret,
	error) {
	key, sealed, err := s.Sealer.SealAccount(ctx, ports.TOTPPurpose, code.User, secret.Bytes())
	return ports.SealedTOTPSecret{Code: code, ServerKey: key, Sealed: sealed}, err
}
