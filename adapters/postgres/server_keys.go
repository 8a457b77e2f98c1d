package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// serverKeys implements ports.ServerKeys.
type serverKeys struct{ q querier }

// In a transaction, List also locks the rows. Outside of a transaction, it does not lock them, because the locks would
// end with the statement.
func (r serverKeys) List(ctx context.Context) ([]ports.ServerKey, error) {
	sql := `SELECT id, purpose, generation, wrapped, created_at, retired_at FROM server_keys
		ORDER BY purpose, generation`
	if _, inside := r.q.(*transaction); inside {
		sql += ` FOR UPDATE`
	}
	rows, err := r.q.Query(ctx, sql)
	return collect(rows, err, func(row pgx.CollectableRow) (ports.ServerKey, error) {
		var key ports.ServerKey
		var id [16]byte
		var purpose string
		var retired pgtype.Timestamptz
		err := row.Scan(&id, &purpose, &key.Generation, &key.Wrapped, &key.CreatedAt, &retired)
		key.ID, key.Purpose = id, domain.KeyPurpose(purpose)
		key.CreatedAt, key.RetiredAt = key.CreatedAt.UTC(), timeOf(retired)
		return key, err
	})
}

// Add does not replace an existing key. If several replicas start at the same time, they therefore all use the same
// key.
func (r serverKeys) Add(ctx context.Context, keys []ports.ServerKey) error {
	for _, key := range keys {
		if _, err := r.q.Exec(ctx, `INSERT INTO server_keys (id, purpose, generation, wrapped, created_at)
			VALUES ($1, $2, $3, $4, $5) ON CONFLICT (purpose, generation) DO NOTHING`,
			uuid(key.ID), string(key.Purpose), key.Generation, key.Wrapped, key.CreatedAt); err != nil {
			return translate(err)
		}
	}
	return nil
}

// Rewrap relies on the locks that List takes in the same transaction.
func (r serverKeys) Rewrap(ctx context.Context, keys []ports.ServerKey) error {
	for _, key := range keys {
		_, err := r.q.Exec(ctx, `UPDATE server_keys SET wrapped = $2 WHERE id = $1`, uuid(key.ID), key.Wrapped)
		if err != nil {
			return translate(err)
		}
	}
	return nil
}

// Retire does not change the time of an earlier retirement.
func (r serverKeys) Retire(ctx context.Context, id domain.ServerKeyID, at time.Time) error {
	_, err := r.q.Exec(ctx, `UPDATE server_keys SET retired_at = $2 WHERE id = $1 AND retired_at IS NULL`, uuid(id), at)
	return translate(err)
}

// DeleteRetired runs a single statement. This statement counts everything that is sealed or signed under the key, and
// deletes the key only if the number is at most left.
func (r serverKeys) DeleteRetired(ctx context.Context, id domain.ServerKeyID, left int) error {
	tag, err := r.q.Exec(ctx, `DELETE FROM server_keys WHERE id = $1 AND retired_at IS NOT NULL AND $2 >=
		(SELECT count(*) FROM entry_versions WHERE key_id = $1) +
		(SELECT count(*) FROM users WHERE password_key_id = $1) +
		(SELECT count(*) FROM one_time_codes WHERE key_id = $1) +
		(SELECT count(*) FROM locked_identities WHERE key_id = $1) +
		(SELECT count(*) FROM api_keys WHERE key_id = $1) +
		(SELECT count(*) FROM sessions WHERE key_id = $1) +
		(SELECT count(*) FROM token_families WHERE key_id = $1 OR token_key_id = $1) +
		(SELECT count(*) FROM recovery_codes WHERE key_id = $1) +
		(SELECT count(*) FROM invitations WHERE key_id = $1)`,
		uuid(id), left)
	if err == nil && tag.RowsAffected() == 0 {
		return ports.ErrServerKeyInUse
	}
	return translate(err)
}

// HasServerKeys reports whether the database already has server keys. Only the existing secret can open these keys, so
// the caller must not generate a new secret. HasServerKeys also works on a database that was never migrated.
func (s *Store) HasServerKeys(ctx context.Context) (bool, error) {
	var table, has bool
	err := s.pool.QueryRow(ctx, `SELECT to_regclass('server_keys') IS NOT NULL`).Scan(&table)
	if err != nil || !table {
		return false, translate(err)
	}
	err = s.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM server_keys)`).Scan(&has)
	return has, translate(err)
}
