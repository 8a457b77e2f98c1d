package serverkeys

import (
	"context"
	"fmt"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// maxPlainCodes is the maximum number of plain hashes that older releases can have stored for a user. They stored one
// set of recovery codes for the confirmed TOTP secret and one set for the pending one. If a user has more plain hashes,
// some of them do not come from an older release.
const maxPlainCodes = 2 * domain.RecoveryCodes

// PlainRecoveryCodes lists the recovery codes that an older release stored as plain hashes. For each user who has such
// codes, it returns how many. Sign-ins refuse these codes, because an attacker who can write to the database can add a
// plain hash.
func (s *Service) PlainRecoveryCodes(ctx context.Context) ([]ports.PlainRecoveryCodeCount, error) {
	return s.config.Store.Read().SealedRows.PlainRecoveryCodeCounts(ctx)
}

// ConvertRecoveryCodes replaces the plain hashes of recovery codes with keyed digests, so that sign-ins accept the
// codes. It returns the number of converted codes. Only a command of the operator calls it, because only the operator
// can decide whether the stored codes are genuine.
//
// The operator lists the codes first and passes their total number in the argument "listed". If the number of stored
// codes has changed, an attacker may have added codes since then. ConvertRecoveryCodes then returns an error and
// converts nothing.
//
// It converts the codes of each user in a separate transaction, with an audit event. If a user has more codes than an
// older release can have stored, it skips this user, converts the codes of all other users and returns an error.
func (s *Service) ConvertRecoveryCodes(ctx context.Context, listed int) (int, error) {
	users, err := s.PlainRecoveryCodes(ctx)
	if err != nil {
		return 0, err
	}
	stored := 0
	for _, user := range users {
		stored += user.Codes
	}
	if stored != listed {
		return 0, fmt.Errorf("the database has %d recovery codes without a key, but %d were listed, "+
			"so no code was converted: list the codes again", stored, listed)
	}
	var surplus error
	total, err := s.eachPlainUser(ctx, users, domain.ActionConvertRecoveryCodes, "keyed",
		func(ctx context.Context, repos ports.Repos, user ports.PlainRecoveryCodeCount) (int, error) {
			codes, err := repos.SealedRows.PlainRecoveryCodes(ctx, user.User, maxPlainCodes+1)
			if err != nil {
				return 0, err
			}
			if len(codes) > maxPlainCodes {
				surplus = fmt.Errorf("user %s has more than %d recovery codes without a key, "+
					"so some codes were added directly to the database; no code of this user was converted; "+
					"delete the codes, and let the user enrol again",
					user.Name, maxPlainCodes)
				return 0, nil
			}
			if len(codes) > user.Codes {
				surplus = fmt.Errorf("recovery codes of user %s were added to the database during the conversion; "+
					"no code of this user was converted; list the codes again", user.Name)
				return 0, nil
			}
			return s.convert(ctx, repos, codes)
		})
	if err == nil {
		err = surplus
	}
	return total, err
}

// convert replaces the plain hashes of one user's codes with keyed digests. It returns the number of replaced hashes.
func (s *Service) convert(ctx context.Context, repos ports.Repos, codes []ports.PlainRecoveryCode) (int, error) {
	converted := 0
	for _, code := range codes {
		keyed := s.config.Digests.RecoveryCodes(code.User, code.Secret, code.Hash)
		replaced, err := repos.SealedRows.KeyRecoveryCode(ctx, code, keyed.ServerKey, keyed.Digests[0])
		if err != nil {
			return 0, err
		}
		if replaced {
			converted++
		}
	}
	return converted, nil
}

// DeletePlainRecoveryCodes deletes all recovery codes that are stored as plain hashes, and returns their number. Users
// get new codes when they enrol again. It deletes the codes of each user in a separate transaction, with an audit
// event.
func (s *Service) DeletePlainRecoveryCodes(ctx context.Context) (int, error) {
	users, err := s.PlainRecoveryCodes(ctx)
	if err != nil {
		return 0, err
	}
	return s.eachPlainUser(ctx, users, domain.ActionDeleteRecoveryCodes, "deleted",
		func(ctx context.Context, repos ports.Repos, user ports.PlainRecoveryCodeCount) (int, error) {
			return repos.SealedRows.DeletePlainRecoveryCodes(ctx, user.User)
		})
}

// eachPlainUser calls act for each user in a separate transaction. The function act returns the number of codes that it
// changed, and eachPlainUser returns the total. If act changed codes, eachPlainUser appends an audit event in the same
// transaction. The state argument is the new state of the codes for this event.
func (s *Service) eachPlainUser(ctx context.Context, users []ports.PlainRecoveryCodeCount, action domain.Action,
	state string, act func(ctx context.Context, repos ports.Repos, user ports.PlainRecoveryCodeCount) (int, error),
) (total int, err error) {
	for _, user := range users {
		var count int // Do may run its function several times
		err := s.config.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
			if count, err = act(ctx, repos, user); err != nil || count == 0 {
				return err
			}
			change := domain.Change{Property: domain.PropertyRecoveryCode, From: "plain", To: state}
			return repos.Events.Append(ctx, s.event(action, string(user.Name)).Changed(change))
		})
		if err != nil {
			return total, err
		}
		total += count
	}
	return total, nil
}
