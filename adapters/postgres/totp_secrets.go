package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// totpSecrets implements ports.TOTPSecrets. The table is named one_time_codes.
type totpSecrets struct{ q querier }

// totpColumns are columns of the table one_time_codes, to which a statement must give the alias t.
const totpColumns = `t.id, t.user_id, t.pending, t.own, t.confirmed_at, t.last_step, t.created_at, t.key_id, t.secret`

// totpRow receives totpColumns. In the result of a LEFT JOIN with users, all these columns are null for a user without
// a TOTP secret.
type totpRow struct {
	id, user, key      pgtype.UUID
	pending, own       pgtype.Bool
	confirmed, created pgtype.Timestamptz
	step               pgtype.Int8
	secret             []byte
}

// targets returns the arguments of Scan for totpColumns.
func (r *totpRow) targets() []any {
	return []any{&r.id, &r.user, &r.pending, &r.own, &r.confirmed, &r.step, &r.created, &r.key, &r.secret}
}

// toSecret converts the columns in r to a TOTP secret. If all columns are null, the secret is zero.
func (r *totpRow) toSecret() ports.SealedTOTPSecret {
	return ports.SealedTOTPSecret{ServerKey: r.key.Bytes, Sealed: r.secret, Code: domain.TOTPSecret{
		ID:          r.id.Bytes,
		User:        r.user.Bytes,
		Pending:     r.pending.Bool,
		Own:         r.own.Bool,
		ConfirmedAt: timeOf(r.confirmed),
		LastStep:    r.step.Int64,
		CreatedAt:   timeOf(r.created),
	}}
}

// Put requires that the caller has locked the row of the user. Without that lock, a concurrent Put could insert a
// secret between the DELETE and the INSERT.
func (r totpSecrets) Put(ctx context.Context, code ports.SealedTOTPSecret, recovery ports.RecoveryCodes) error {
	if _, err := r.q.Exec(ctx, `DELETE FROM one_time_codes WHERE user_id = $1 AND pending = $2`,
		uuid(code.Code.User), code.Code.Pending); err != nil {
		return translate(err)
	}
	err := addUnderKey(ctx, r.q,
		`INSERT INTO one_time_codes (key_id, id, user_id, pending, secret, own, confirmed_at, last_step, created_at)
		SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9`+keyInUse, code.ServerKey,
		uuid(code.Code.ID), uuid(code.Code.User), code.Code.Pending, code.Sealed, code.Code.Own,
		timestamp(code.Code.ConfirmedAt), code.Code.LastStep, code.Code.CreatedAt)
	if err != nil || len(recovery.Digests) == 0 {
		return translate(err)
	}
	return translate(addUnderKey(ctx, r.q, `INSERT INTO recovery_codes (key_id, code_id, hash)
		SELECT $1, $2, hash FROM unnest($3::bytea[]) hash`+keyInUse, recovery.ServerKey, uuid(code.Code.ID),
		column(recovery.Digests, func(d domain.Digest) []byte { return d[:] })))
}

// Get finds at most one row, because the columns user_id and pending are unique together.
func (r totpSecrets) Get(ctx context.Context, user domain.UserID, pending bool) (ports.SealedTOTPSecret, error) {
	var row totpRow
	err := r.q.QueryRow(ctx, `SELECT `+totpColumns+` FROM one_time_codes t WHERE user_id = $1 AND pending = $2`,
		uuid(user), pending).Scan(row.targets()...)
	return row.toSecret(), orNotFound(err, domain.ErrNoCode)
}

const (
	// acceptStep is one UPDATE that compares the step with the last accepted step and stores it. Therefore, if
	// several servers receive the same TOTP code, only one of them accepts it.
	acceptStep = `UPDATE one_time_codes SET last_step = $2, confirmed_at = COALESCE(confirmed_at, $3)
		WHERE id = $1 AND last_step < $2`
	// spendRecovery deletes the recovery code. If several servers receive the same code, only one of them deletes the
	// row and accepts the code.
	spendRecovery = `DELETE FROM recovery_codes WHERE code_id = $1 AND hash = $2`
)

// Accept reports whether acceptStep has changed the row.
func (r totpSecrets) Accept(ctx context.Context, id domain.TOTPID, step int64, now time.Time) (bool, error) {
	tag, err := r.q.Exec(ctx, acceptStep, uuid(id), step, now)
	return tag.RowsAffected() == 1, translate(err)
}

// SpendRecovery reports whether spendRecovery has deleted the row.
func (r totpSecrets) SpendRecovery(ctx context.Context, id domain.TOTPID, digest domain.Digest) (bool, error) {
	tag, err := r.q.Exec(ctx, spendRecovery, uuid(id), digest[:])
	return tag.RowsAffected() == 1, translate(err)
}

// Promote puts the pending secret of the user into force. It first deletes the secret that was in force, because a user
// can have only one such secret. If the user has no pending secret, Promote changes nothing.
func (r totpSecrets) Promote(ctx context.Context, user domain.UserID) error {
	if _, err := r.q.Exec(ctx, `DELETE FROM one_time_codes WHERE user_id = $1 AND NOT pending
		AND EXISTS (SELECT FROM one_time_codes WHERE user_id = $1 AND pending)`, uuid(user)); err != nil {
		return translate(err)
	}
	_, err := r.q.Exec(ctx, `UPDATE one_time_codes SET pending = false WHERE user_id = $1 AND pending`, uuid(user))
	return translate(err)
}

// Delete removes the secret in force and the pending secret of the user. ON DELETE CASCADE also removes the recovery
// codes of these secrets.
func (r totpSecrets) Delete(ctx context.Context, user domain.UserID) (bool, error) {
	tag, err := r.q.Exec(ctx, `DELETE FROM one_time_codes WHERE user_id = $1`, uuid(user))
	return tag.RowsAffected() > 0, translate(err)
}

// Codes is part of ports.SealedRows. It is in this file because it uses totpColumns.
func (r sealedRows) Codes(ctx context.Context, key domain.ServerKeyID, after domain.TOTPID,
	limit int) ([]ports.SealedTOTPSecret, error) {
	rows, err := r.q.Query(ctx,
		`SELECT `+totpColumns+` FROM one_time_codes t WHERE key_id = $1 AND id > $2 ORDER BY id LIMIT $3`,
		uuid(key), [16]byte(after), limit)
	return collect(rows, err, func(row pgx.CollectableRow) (ports.SealedTOTPSecret, error) {
		var found totpRow
		err := row.Scan(found.targets()...)
		return found.toSecret(), err
	})
}

// ReplaceCode changes the row only if its secret is still the secret that the caller has read. It therefore never
// overwrites a concurrent write.
func (r sealedRows) ReplaceCode(ctx context.Context, was ports.SealedTOTPSecret, key domain.ServerKeyID,
	sealed []byte) error {
	_, err := r.q.Exec(ctx, `UPDATE one_time_codes SET key_id = $2, secret = $3 WHERE id = $1 AND secret = $4`,
		uuid(was.Code.ID), uuid(key), sealed, was.Sealed)
	return translate(err)
}

// PlainRecoveryCodeCounts is part of ports.SealedRows. The count of a user includes the recovery codes of the secret in
// force and those of the pending secret.
func (r sealedRows) PlainRecoveryCodeCounts(ctx context.Context) ([]ports.PlainRecoveryCodeCount, error) {
	rows, err := r.q.Query(ctx, `SELECT u.id, u.name, count(*) FROM recovery_codes r
			JOIN one_time_codes t ON t.id = r.code_id JOIN users u ON u.id = t.user_id
		WHERE r.key_id IS NULL GROUP BY u.id ORDER BY u.name`)
	return collect(rows, err, func(row pgx.CollectableRow) (ports.PlainRecoveryCodeCount, error) {
		var user [16]byte
		var name string
		var count int
		err := row.Scan(&user, &name, &count)
		return ports.PlainRecoveryCodeCount{User: user, Name: domain.UserName(name), Codes: count}, err
	})
}

// PlainRecoveryCodes sorts the codes, so a query with a limit returns the same codes each time.
func (r sealedRows) PlainRecoveryCodes(ctx context.Context, user domain.UserID,
	limit int) ([]ports.PlainRecoveryCode, error) {
	rows, err := r.q.Query(ctx, `SELECT r.code_id, r.hash FROM recovery_codes r
			JOIN one_time_codes t ON t.id = r.code_id
		WHERE r.key_id IS NULL AND t.user_id = $1 ORDER BY r.code_id, r.hash LIMIT $2`, uuid(user), limit)
	return collect(rows, err, func(row pgx.CollectableRow) (ports.PlainRecoveryCode, error) {
		var secret [16]byte
		var hash []byte
		err := row.Scan(&secret, &hash)
		code := ports.PlainRecoveryCode{User: user, Secret: secret}
		copy(code.Hash[:], hash)
		return code, err
	})
}

// KeyRecoveryCode changes the row only if the row still has the hash that the caller has read. The comment on
// ReplaceEnvelope gives the reason.
func (r sealedRows) KeyRecoveryCode(ctx context.Context, was ports.PlainRecoveryCode, key domain.ServerKeyID,
	digest domain.Digest) (bool, error) {
	tag, err := r.q.Exec(ctx, `UPDATE recovery_codes SET key_id = $3, hash = $4
		WHERE code_id = $1 AND hash = $2 AND key_id IS NULL`, uuid(was.Secret), was.Hash[:], uuid(key), digest[:])
	return tag.RowsAffected() == 1, translate(err)
}

// DeletePlainRecoveryCodes needs no lock. It deletes codes that were hashed without a server key. Servers do not accept
// these codes, so no concurrent sign-in uses the rows.
func (r sealedRows) DeletePlainRecoveryCodes(ctx context.Context, user domain.UserID) (int, error) {
	tag, err := r.q.Exec(ctx, `DELETE FROM recovery_codes r USING one_time_codes t
		WHERE t.id = r.code_id AND t.user_id = $1 AND r.key_id IS NULL`, uuid(user))
	return int(tag.RowsAffected()), translate(err)
}
