package serverkeys

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// Verify checks that every sealed row can be decrypted with its server key. The sealed rows are entry versions,
// password hashes, TOTP secrets and locked identities. Verify cannot check the contents of entries and locked
// identities, because these are also encrypted under keys that only clients have. It changes nothing.
//
// It returns the number of decrypted rows of each kind. If it could not decrypt all rows, it also returns an
// *UnopenedRowsError. All servers must be stopped during the call, because the number of rows must not change.
func (s *Service) Verify(ctx context.Context) (ports.SealedCounts, error) {
	stored, err := s.config.Store.Read().SealedRows.Count(ctx)
	if err != nil {
		return ports.SealedCounts{}, err
	}
	run := &verification{Service: s, rows: s.config.Store.Read().SealedRows}
	for _, key := range s.config.Keyring.Status() {
		switch key.Purpose {
		case domain.KeyForEntries:
			err = run.entries(ctx, key.ID)
		case domain.KeyForAccounts:
			err = errors.Join(run.passwords(ctx, key.ID), run.totpSecrets(ctx, key.ID), run.identities(ctx, key.ID))
		default: // keys of tokens and digests seal no rows
			continue
		}
		if err != nil {
			return run.opened, err
		}
	}
	return run.opened, run.result(stored)
}

// verification is the state of one call of Verify.
type verification struct {
	*Service
	rows   ports.SealedRows
	opened ports.SealedCounts
	// failed contains an error for each row that could not be decrypted.
	failed []error
	// failures counts the errors in failed, separately for each kind of row.
	failures ports.SealedCounts
}

// check counts one row. The err argument is the result of decrypting the row. If err is nil, the row counts as opened.
// If err is a tampering error, the row counts as failed. check returns any other error, such as a failure of the
// database, because such an error does not mean that the row is damaged.
func (v *verification) check(err error, opened, failed *int, format string, args ...any) error {
	switch {
	case err == nil:
		*opened++
	case ports.IsTampered(err):
		*failed++
		v.failed = append(v.failed, fmt.Errorf(format+": %w", append(args, err)...))
	default:
		return err
	}
	return nil
}

// entries opens all envelopes that are sealed under the given server key.
func (v *verification) entries(ctx context.Context, key domain.ServerKeyID) error {
	var after ports.Place
	for {
		rows, err := v.rows.Entries(ctx, key, after, rekeyBatch)
		if err != nil || len(rows) == 0 {
			return err
		}
		for _, row := range rows {
			after = row.Place
			err := v.config.Entries.CheckOuter(ctx, row.Place, row.Sealed.ServerKey, row.Sealed.Envelope)
			if err := v.check(err, &v.opened.Entries, &v.failures.Entries, "box %s, entry %q, version %d",
				row.Place.Box, row.Place.Key, row.Place.Version); err != nil {
				return err
			}
		}
	}
}

// passwords opens all password hashes that are sealed under the given server key.
func (v *verification) passwords(ctx context.Context, key domain.ServerKeyID) error {
	var after domain.UserID
	for {
		rows, err := v.rows.Passwords(ctx, key, after, rekeyBatch)
		if err != nil || len(rows) == 0 {
			return err
		}
		for _, row := range rows {
			after = row.User
			err := v.openAccount(ctx, ports.PasswordPurpose, row.User, row.Sealed)
			if err := v.check(err, &v.opened.Passwords, &v.failures.Passwords, "password of user %s",
				row.User); err != nil {
				return err
			}
		}
	}
}

// totpSecrets opens all TOTP secrets that are sealed under the given server key.
func (v *verification) totpSecrets(ctx context.Context, key domain.ServerKeyID) error {
	var after domain.TOTPID
	for {
		rows, err := v.rows.Codes(ctx, key, after, rekeyBatch)
		if err != nil || len(rows) == 0 {
			return err
		}
		for _, row := range rows {
			after = row.Code.ID
			err := v.openAccount(ctx, ports.TOTPPurpose, row.Code.User, row.Sealed)
			if err := v.check(err, &v.opened.TOTPSecrets, &v.failures.TOTPSecrets, "TOTP secret of user %s",
				row.Code.User); err != nil {
				return err
			}
		}
	}
}

// identities opens the outer layer of all locked identities that are sealed under the given server key.
func (v *verification) identities(ctx context.Context, key domain.ServerKeyID) error {
	var after domain.UserID
	for {
		rows, err := v.rows.LockedIdentities(ctx, key, after, rekeyBatch)
		if err != nil || len(rows) == 0 {
			return err
		}
		for _, row := range rows {
			after = row.User
			err := v.openAccount(ctx, ports.LockedIdentityPurpose, row.User, row.Sealed)
			if err := v.check(err, &v.opened.LockedIdentities, &v.failures.LockedIdentities,
				"locked identity of user %s", row.User); err != nil {
				return err
			}
		}
	}
}

// openAccount opens sealed data of a user and erases the plaintext.
func (v *verification) openAccount(ctx context.Context, purpose string, user domain.UserID, sealed []byte) error {
	opened, err := v.config.Account.OpenAccount(ctx, purpose, user, sealed)
	clear(opened)
	return err
}

// result returns an error if any row failed, or if Verify read fewer rows than are stored. A row that was not read
// refers to a server key that is not stored or has another purpose.
func (v *verification) result(stored ports.SealedCounts) error {
	failed := v.failed
	for _, kind := range []struct {
		name                   string
		stored, opened, failed int
	}{
		{"entry versions", stored.Entries, v.opened.Entries, v.failures.Entries},
		{"passwords", stored.Passwords, v.opened.Passwords, v.failures.Passwords},
		{"TOTP secrets", stored.TOTPSecrets, v.opened.TOTPSecrets, v.failures.TOTPSecrets},
		{"locked identities", stored.LockedIdentities, v.opened.LockedIdentities, v.failures.LockedIdentities},
	} {
		if missing := kind.stored - kind.opened - kind.failed; missing != 0 {
			failed = append(failed, fmt.Errorf("%d %s refer to a server key that the database does not have", missing,
				kind.name))
		}
	}
	if len(failed) == 0 {
		return nil
	}
	return &UnopenedRowsError{Rows: failed}
}

// UnopenedRowsError lists the rows that cannot be decrypted with their server key.
type UnopenedRowsError struct{ Rows []error }

// Error lists the first rows, one per line.
func (e *UnopenedRowsError) Error() string {
	var text strings.Builder
	text.WriteString("these rows cannot be decrypted with their server key, because they were changed or damaged:")
	for _, each := range e.Rows[:min(maxListedRows, len(e.Rows))] {
		text.WriteString("\n" + each.Error())
	}
	if rest := len(e.Rows) - maxListedRows; rest > 0 {
		fmt.Fprintf(&text, "\nand %d more", rest)
	}
	return text.String()
}

// maxListedRows is the maximum number of rows that an error lists.
const maxListedRows = 20
