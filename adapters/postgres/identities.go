package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// identities implements ports.Identities.
type identities struct{ q querier }

// selectIdentity is a SELECT statement that ends with WHERE. Each method appends its condition.
const selectIdentity = `SELECT i.user_id, u.name, i.public, i.fingerprint, i.is_current, i.created_at
	FROM identities i LEFT JOIN users u ON u.id = i.user_id WHERE `

// scanIdentity reads the columns of selectIdentity. It returns domain.ErrIdentityNotFound if there is no row.
func scanIdentity(row pgx.Row) (domain.Identity, error) {
	var identity domain.Identity
	var user [16]byte
	var name pgtype.Text
	var public, fingerprint []byte
	err := row.Scan(&user, &name, &public, &fingerprint, &identity.Current, &identity.CreatedAt)
	if err != nil {
		return domain.Identity{}, orNotFound(err, domain.ErrIdentityNotFound)
	}
	identity.User, identity.Name = user, domain.UserName(name.String)
	identity.Public = domain.RestorePublicIdentity(public)
	copy(identity.Fingerprint[:], fingerprint)
	identity.CreatedAt = identity.CreatedAt.UTC()
	return identity, nil
}

// A user has at most one current key, so Put first marks the old key as no longer current. If a concurrent transaction
// stores the same key, the INSERT waits for that transaction. If the key belongs to another user, Put returns
// domain.ErrIdentityTaken.
func (r identities) Put(ctx context.Context, identity domain.Identity) error {
	_, err := r.q.Exec(ctx,
		`UPDATE identities SET is_current = false WHERE user_id = $1 AND is_current AND fingerprint <> $2`,
		uuid(identity.User), identity.Fingerprint[:])
	if err != nil {
		return translate(err)
	}
	stored, err := r.q.Exec(ctx, `INSERT INTO identities AS i (fingerprint, user_id, public, is_current, created_at)
		VALUES ($1, $2, $3, true, $4)
		ON CONFLICT (fingerprint) DO UPDATE SET is_current = true WHERE i.user_id = EXCLUDED.user_id`,
		identity.Fingerprint[:], uuid(identity.User), identity.Public[:], identity.CreatedAt)
	if err == nil && stored.RowsAffected() == 0 {
		return domain.ErrIdentityTaken
	}
	return translate(err)
}

// Count is exact only if the caller has locked the user with Users.Lock.
func (r identities) Count(ctx context.Context, user domain.UserID) (count int, err error) {
	err = r.q.QueryRow(ctx, `SELECT count(*) FROM identities WHERE user_id = $1`, uuid(user)).Scan(&count)
	return count, translate(err)
}

func (r identities) Current(ctx context.Context, user domain.UserID) (domain.Identity, error) {
	return scanIdentity(r.q.QueryRow(ctx, selectIdentity+`i.user_id = $1 AND i.is_current`, uuid(user)))
}

func (r identities) CurrentOf(ctx context.Context, user domain.UserName) (domain.Identity, error) {
	return scanIdentity(r.q.QueryRow(ctx, selectIdentity+`u.name = $1 AND i.is_current`, string(user)))
}

func (r identities) ByFingerprint(ctx context.Context, fingerprint domain.Fingerprint) (domain.Identity, error) {
	return scanIdentity(r.q.QueryRow(ctx, selectIdentity+`i.fingerprint = $1`, fingerprint[:]))
}

// PutLocked rejects an identity that was sealed under a retired server key.
func (r identities) PutLocked(ctx context.Context, locked ports.SealedIdentity) error {
	return translate(addUnderKey(ctx, r.q,
		`INSERT INTO locked_identities (key_id, user_id, fingerprint, sealed, created_at) SELECT $1, $2, $3, $4, $5`+
			keyInUse+` ON CONFLICT (user_id) DO UPDATE SET key_id = EXCLUDED.key_id,
				fingerprint = EXCLUDED.fingerprint, sealed = EXCLUDED.sealed, created_at = EXCLUDED.created_at`,
		locked.ServerKey, uuid(locked.User), locked.Fingerprint[:], locked.Sealed, locked.CreatedAt))
}

// lockedColumns are the columns that scanLocked reads.
const lockedColumns = `user_id, fingerprint, key_id, sealed, created_at`

func scanLocked(row pgx.Row) (ports.SealedIdentity, error) {
	var locked ports.SealedIdentity
	var user, key [16]byte
	var fingerprint []byte
	var created time.Time
	err := row.Scan(&user, &fingerprint, &key, &locked.Sealed, &created)
	locked.User, locked.ServerKey, locked.CreatedAt = user, key, created.UTC()
	copy(locked.Fingerprint[:], fingerprint)
	return locked, err
}

func (r identities) Locked(ctx context.Context, user domain.UserID) (ports.SealedIdentity, error) {
	locked, err := scanLocked(r.q.QueryRow(ctx, `SELECT `+lockedColumns+` FROM locked_identities WHERE user_id = $1`,
		uuid(user)))
	return locked, orNotFound(err, domain.ErrLockedNotFound)
}

func (r identities) DeleteLocked(ctx context.Context, user domain.UserID) (bool, error) {
	tag, err := r.q.Exec(ctx, `DELETE FROM locked_identities WHERE user_id = $1`, uuid(user))
	return tag.RowsAffected() > 0, translate(err)
}

// LockedIdentities is part of ports.SealedRows. Like sealedRows.Entries, it returns the rows in the order of the
// primary key.
func (r sealedRows) LockedIdentities(ctx context.Context, key domain.ServerKeyID, after domain.UserID,
	limit int) ([]ports.SealedIdentity, error) {
	rows, err := r.q.Query(ctx, `SELECT `+lockedColumns+` FROM locked_identities
		WHERE key_id = $1 AND user_id > $2 ORDER BY user_id LIMIT $3`, uuid(key), [16]byte(after), limit)
	return collect(rows, err, func(row pgx.CollectableRow) (ports.SealedIdentity, error) { return scanLocked(row) })
}

// Like ReplaceEnvelope, ReplaceLockedIdentity changes the row only if its data is still the data that the caller has
// read.
func (r sealedRows) ReplaceLockedIdentity(ctx context.Context, was ports.SealedIdentity, key domain.ServerKeyID,
	sealed []byte) error {
	_, err := r.q.Exec(ctx, `UPDATE locked_identities SET key_id = $2, sealed = $3 WHERE user_id = $1 AND sealed = $4`,
		uuid(was.User), uuid(key), sealed, was.Sealed)
	return translate(err)
}
