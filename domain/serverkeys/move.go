package serverkeys

import (
	"context"
	"fmt"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// rekeyRun is the state of one call of Rekey.
type rekeyRun struct {
	purpose  domain.KeyPurpose
	progress Progress
	// done is the number of rows moved and tokens revoked so far, in all passes.
	done int
	// tampered contains an error for each row that failed authentication on the last pass, grouped by the server key of
	// the row. An attacker may have changed these rows, so they must not prevent Rekey from moving the other rows.
	tampered map[domain.ServerKeyID][]error
}

// cursor identifies the last row of a batch. The next batch begins after this row. Each kind of row has a field of its
// own.
type cursor struct {
	entry  ports.Place
	user   domain.UserID
	totp   domain.TOTPID
	locked domain.UserID
}

// batch is the result of one transaction.
type batch struct {
	// seen is the number of rows that the transaction read. If it is 0, the pass ends. moved is the number of these
	// rows that were moved to the new key.
	seen, moved int
	last        cursor
	tampered    []error
}

// skip notes the error of a row that is not moved because it failed authentication.
func (b *batch) skip(tampered error) { b.tampered = append(b.tampered, tampered) }

// moveAll moves the rows under each retired key. It repeats the pass over a key until a whole pass moves no row,
// because servers may add rows during a pass.
func (s *Service) moveAll(ctx context.Context, run *rekeyRun, retired []ports.ServerKey) error {
	run.tampered = make(map[domain.ServerKeyID][]error)
	for _, key := range retired {
		for {
			moved, tampered, err := s.pass(ctx, run, key.ID)
			if err != nil {
				return err
			}
			if moved == 0 {
				run.tampered[key.ID] = tampered
				break
			}
		}
	}
	return nil
}

// pass reads all rows under a key once. It moves each row, unless the ciphertext of the row fails authentication.
func (s *Service) pass(ctx context.Context, run *rekeyRun, key domain.ServerKeyID) (moved int, tampered []error,
	err error) {
	var after cursor
	for {
		next, err := s.moveBatch(ctx, run.purpose, key, after)
		if err != nil || next.seen == 0 {
			return moved, tampered, err
		}
		after, tampered = next.last, append(tampered, next.tampered...)
		moved += next.moved
		run.done += next.moved
		run.progress(run.done)
	}
}

// moveBatch moves up to rekeyBatch rows in one transaction.
func (s *Service) moveBatch(ctx context.Context, purpose domain.KeyPurpose, key domain.ServerKeyID,
	after cursor) (next batch, err error) {
	err = s.config.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		next = batch{last: after} // Do may run this function several times
		switch purpose {
		case domain.KeyForEntries:
			return s.moveEntries(ctx, repos, key, &next)
		case domain.KeyForAccounts:
			return s.moveAccounts(ctx, repos, key, &next)
		default:
			// A signature or a keyed digest cannot be moved to another key, so the tokens are deleted. For the key of
			// the attempt counters, there is nothing to delete: the counters under the old key are no longer found, so
			// every count starts at zero.
			revoked, err := repos.SealedRows.DeleteTokens(ctx, key)
			next.seen, next.moved = revoked, revoked
			return err
		}
	})
	return next, err
}

// moveEntries wraps the outer layer of entry versions under the new key. It does not read or change the values
// themselves.
func (s *Service) moveEntries(ctx context.Context, repos ports.Repos, key domain.ServerKeyID, b *batch) error {
	rows, err := repos.SealedRows.Entries(ctx, key, b.last.entry, rekeyBatch)
	if err != nil {
		return err
	}
	for _, row := range rows {
		b.last.entry = row.Place
		current, envelope, err := s.config.Entries.Rewrap(ctx, row.Place, row.Sealed.Envelope)
		if ports.IsTampered(err) {
			b.skip(fmt.Errorf("box %s, entry %s, version %d: %w", row.Place.Box, row.Place.Key, row.Place.Version, err))
			continue
		}
		if err != nil {
			return err
		}
		if err := repos.SealedRows.ReplaceEnvelope(ctx, row, current, envelope); err != nil {
			return err
		}
		b.moved++
	}
	b.seen = len(rows)
	return nil
}

// moveAccounts moves the sealed data of users: first all password hashes, then the TOTP secrets, then the locked
// identities.
func (s *Service) moveAccounts(ctx context.Context, repos ports.Repos, key domain.ServerKeyID, b *batch) error {
	if err := s.movePasswords(ctx, repos, key, b); err != nil || b.seen > 0 {
		return err
	}
	if err := s.moveTOTPSecrets(ctx, repos, key, b); err != nil || b.seen > 0 {
		return err
	}
	return s.moveLockedIdentities(ctx, repos, key, b)
}

// movePasswords reseals password hashes under the new key. A hash that a user replaces in the meantime needs no move:
// the server seals the new hash under the new key.
func (s *Service) movePasswords(ctx context.Context, repos ports.Repos, key domain.ServerKeyID, b *batch) error {
	rows, err := repos.SealedRows.Passwords(ctx, key, b.last.user, rekeyBatch)
	if err != nil {
		return err
	}
	for _, row := range rows {
		b.last.user = row.User
		current, sealed, err := s.reseal(ctx, ports.PasswordPurpose, row.User, row.Sealed)
		if ports.IsTampered(err) {
			b.skip(fmt.Errorf("password of user %s: %w", row.User, err))
			continue
		}
		if err != nil {
			return err
		}
		if err := repos.SealedRows.ReplacePassword(ctx, row, current, sealed); err != nil {
			return err
		}
		b.moved++
	}
	b.seen = len(rows)
	return nil
}

// moveTOTPSecrets reseals confirmed and pending TOTP secrets under the new key.
func (s *Service) moveTOTPSecrets(ctx context.Context, repos ports.Repos, key domain.ServerKeyID, b *batch) error {
	rows, err := repos.SealedRows.Codes(ctx, key, b.last.totp, rekeyBatch)
	if err != nil {
		return err
	}
	for _, row := range rows {
		b.last.totp = row.Code.ID
		current, sealed, err := s.reseal(ctx, ports.TOTPPurpose, row.Code.User, row.Sealed)
		if ports.IsTampered(err) {
			b.skip(fmt.Errorf("TOTP secret of user %s: %w", row.Code.User, err))
			continue
		}
		if err != nil {
			return err
		}
		if err := repos.SealedRows.ReplaceCode(ctx, row, current, sealed); err != nil {
			return err
		}
		b.moved++
	}
	b.seen = len(rows)
	return nil
}

// moveLockedIdentities reseals the outer layer of locked identities under the new key. The inner layer is encrypted
// under the user's passphrase and does not change.
func (s *Service) moveLockedIdentities(ctx context.Context, repos ports.Repos, key domain.ServerKeyID,
	b *batch) error {
	rows, err := repos.SealedRows.LockedIdentities(ctx, key, b.last.locked, rekeyBatch)
	if err != nil {
		return err
	}
	for _, row := range rows {
		b.last.locked = row.User
		current, sealed, err := s.reseal(ctx, ports.LockedIdentityPurpose, row.User, row.Sealed)
		if ports.IsTampered(err) {
			b.skip(fmt.Errorf("locked identity of user %s: %w", row.User, err))
			continue
		}
		if err != nil {
			return err
		}
		if err := repos.SealedRows.ReplaceLockedIdentity(ctx, row, current, sealed); err != nil {
			return err
		}
		b.moved++
	}
	b.seen = len(rows)
	return nil
}

// reseal opens sealed data of a user and seals it under the current key. Errors: a tampering error.
func (s *Service) reseal(ctx context.Context, purpose string, user domain.UserID, sealed []byte) (domain.ServerKeyID,
	[]byte, error) {
	opened, err := s.config.Account.OpenAccount(ctx, purpose, user, sealed)
	if err != nil {
		return domain.ServerKeyID{}, nil, err
	}
	defer clear(opened)
	return s.config.Account.SealAccount(ctx, purpose, user, opened)
}
