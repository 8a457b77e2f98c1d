package serverkeys

import (
	"context"

	"github.com/lockbox-go/lockbox/ports"
)

// recoveryBatch is how many recovery codes one transaction converts.
const recoveryBatch = 500

// KeyRecoveryCodes replaces the plain hashes of recovery codes, which older releases stored, with keyed digests. It
// does so once for a database, and then sets a flag: plain hashes that appear later are not accepted, because an
// attacker who can write to the database can make them. Servers that start at the same time take turns.
//
// An attacker who can reset the flag gains nothing: a recovery code replaces a TOTP code, and the same attacker can
// delete the TOTP secret.
func (s *Service) KeyRecoveryCodes(ctx context.Context) error {
	keyed, err := s.config.Store.Read().System.RecoveryCodesKeyed(ctx)
	for err == nil && !keyed {
		keyed, err = s.keyRecoveryBatch(ctx)
	}
	return err
}

// keyRecoveryBatch converts one batch. It reports whether all codes are converted.
func (s *Service) keyRecoveryBatch(ctx context.Context) (keyed bool, err error) {
	err = s.config.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		if _, err := repos.System.Lock(ctx); err != nil {
			return err
		}
		if keyed, err = repos.System.RecoveryCodesKeyed(ctx); err != nil || keyed {
			return err
		}
		codes, err := repos.SealedRows.PlainRecoveryCodes(ctx, recoveryBatch)
		if err != nil {
			return err
		}
		for _, code := range codes {
			digests := s.config.Digests.RecoveryCodes(code.User, code.Secret, code.Hash)
			err := repos.SealedRows.KeyRecoveryCode(ctx, code, digests.ServerKey, digests.Digests[0])
			if err != nil {
				return err
			}
		}
		if keyed = len(codes) < recoveryBatch; keyed {
			return repos.System.SetRecoveryCodesKeyed(ctx)
		}
		return nil
	})
	return keyed, err
}
