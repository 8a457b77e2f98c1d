package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// sealedRows implements ports.SealedRows for rekey. There is no index on the server key of a row, because an index
// would slow down every write, and rekey is rare.
type sealedRows struct{ q querier }

// Count reads whole tables.
func (r sealedRows) Count(ctx context.Context) (ports.SealedCounts, error) {
	var counts ports.SealedCounts
	err := r.q.QueryRow(ctx, `SELECT (SELECT count(*) FROM entry_versions),
		(SELECT count(*) FROM users WHERE password IS NOT NULL),
		(SELECT count(*) FROM one_time_codes),
		(SELECT count(*) FROM locked_identities)`).Scan(&counts.Entries, &counts.Passwords, &counts.TOTPSecrets,
		&counts.LockedIdentities)
	return counts, translate(err)
}

// Entries returns versions in the order of the primary key. Each batch continues after the previous batch, so all
// batches together read the table once.
func (r sealedRows) Entries(ctx context.Context, key domain.ServerKeyID, after ports.Place,
	limit int) ([]ports.StoredVersion, error) {
	rows, err := r.q.Query(ctx, `SELECT `+storedColumns+` FROM entry_versions
		WHERE key_id = $1 AND (box_id, key, version) > ($2, $3, $4) ORDER BY box_id, key, version LIMIT $5`,
		uuid(key), [16]byte(after.Box), string(after.Key), number(after.Version), limit)
	return collect(rows, err, func(row pgx.CollectableRow) (ports.StoredVersion, error) { return scanStored(row) })
}

// ReplaceEnvelope changes the row only if its envelope is still the envelope that the caller has read. It therefore
// never overwrites a concurrent write.
func (r sealedRows) ReplaceEnvelope(ctx context.Context, was ports.StoredVersion, key domain.ServerKeyID,
	envelope []byte) error {
	_, err := r.q.Exec(ctx, `UPDATE entry_versions SET key_id = $4, envelope = $5
		WHERE box_id = $1 AND key = $2 AND version = $3 AND envelope = $6`,
		uuid(was.Place.Box), string(was.Place.Key), number(was.Place.Version), uuid(key), envelope, was.Sealed.Envelope)
	return translate(err)
}

// Like Entries, Passwords returns the rows in the order of the primary key.
func (r sealedRows) Passwords(ctx context.Context, key domain.ServerKeyID, after domain.UserID,
	limit int) ([]ports.SealedPassword, error) {
	rows, err := r.q.Query(ctx, `SELECT id, password FROM users
		WHERE password_key_id = $1 AND password IS NOT NULL AND id > $2 ORDER BY id LIMIT $3`,
		uuid(key), [16]byte(after), limit)
	return collect(rows, err, func(row pgx.CollectableRow) (ports.SealedPassword, error) {
		var id [16]byte
		password := ports.SealedPassword{ServerKey: key}
		err := row.Scan(&id, &password.Sealed)
		password.User = id
		return password, err
	})
}

// Like ReplaceEnvelope, ReplacePassword changes the row only if its password is still the password that the caller has
// read.
func (r sealedRows) ReplacePassword(ctx context.Context, was ports.SealedPassword, key domain.ServerKeyID,
	sealed []byte) error {
	_, err := r.q.Exec(ctx, `UPDATE users SET password_key_id = $2, password = $3 WHERE id = $1 AND password = $4`,
		uuid(was.User), uuid(key), sealed, was.Sealed)
	return translate(err)
}

// TokensUnder sorts the list by user, because a command prints it for operators.
func (r sealedRows) TokensUnder(ctx context.Context, key domain.ServerKeyID) ([]ports.OwnedAPIKey, error) {
	rows, err := r.q.Query(ctx, `SELECT `+apiKeyColumns+`, u.name FROM api_keys k JOIN users u ON u.id = k.user_id
		WHERE k.key_id = $1 ORDER BY u.name, k.id`, uuid(key))
	return collect(rows, err, func(row pgx.CollectableRow) (ports.OwnedAPIKey, error) {
		var user string
		key, err := scanAPIKey(row, &user)
		return ports.OwnedAPIKey{Key: key, User: domain.UserName(user)}, err
	})
}

// OpenTransactions returns the virtual transaction identifiers of all open transactions. It reads them from pg_locks.
// Every transaction locks its own identifier, and all roles can see these locks.
func (r sealedRows) OpenTransactions(ctx context.Context) ([]string, error) {
	return names[string](r.q.Query(ctx, `SELECT l.virtualtransaction FROM pg_locks l
		JOIN pg_stat_activity a ON a.pid = l.pid AND a.datname = current_database()
		WHERE l.locktype = 'virtualxid' AND l.virtualxid = l.virtualtransaction AND l.granted
			AND l.pid <> pg_backend_pid()`))
}

// OldestTransaction reads the transactions of all Lockbox servers from pg_stat_activity. It recognises the servers by
// applicationName.
func (r sealedRows) OldestTransaction(ctx context.Context) (time.Duration, error) {
	var seconds float64
	err := r.q.QueryRow(ctx, `SELECT COALESCE(EXTRACT(EPOCH FROM max(clock_timestamp() - xact_start)), 0)::float8
		FROM pg_stat_activity WHERE datname = current_database() AND application_name = '`+applicationName+
		`' AND pid <> pg_backend_pid()`).Scan(&seconds)
	return time.Duration(seconds * float64(time.Second)), translate(err)
}

// DeleteTokens relies on ON DELETE CASCADE to delete the token pairs of the token families.
func (r sealedRows) DeleteTokens(ctx context.Context, key domain.ServerKeyID) (int, error) {
	count := 0
	for _, sql := range []string{
		`DELETE FROM api_keys WHERE key_id = $1`,
		`DELETE FROM sessions WHERE key_id = $1`,
		`DELETE FROM token_families WHERE key_id = $1 OR token_key_id = $1`,
		`DELETE FROM recovery_codes WHERE key_id = $1`,
		`DELETE FROM invitations WHERE key_id = $1`,
	} {
		tag, err := r.q.Exec(ctx, sql, uuid(key))
		if err != nil {
			return 0, translate(err)
		}
		count += int(tag.RowsAffected())
	}
	return count, nil
}
